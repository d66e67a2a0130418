// The editor of one's own profile: signs in with Clerk's component, then reads and writes /me.

const element = (id) => document.getElementById(id)
const [state, signIn, editor, blocks] = ['state', 'sign-in', 'editor', 'blocks'].map(element)
const clerk = window.Clerk

function tell(text) {
  state.textContent = text
  state.hidden = text === ''
}

/** Asks the API in the name of whoever is signed in. */
async function me(method, body) {
  const token = await clerk.session.getToken()
  const headers = { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) }
  const response = await fetch('/me', { method, headers, ...(body && { body: JSON.stringify(body) }) })
  return { ok: response.ok, answer: await response.json() }
}

function addBlock({ type = 999, label = '', url = '' } = {}) {
  const item = element('block').content.firstElementChild.cloneNode(true)
  item.querySelector('[name=type]').value = String(type)
  item.querySelector('[name=label]').value = label
  item.querySelector('[name=url]').value = url
  const error = item.querySelector('.error')
  error.id = `block-error-${crypto.randomUUID()}`
  for (const field of item.querySelectorAll('input, select')) field.setAttribute('aria-describedby', error.id)
  blocks.append(item)
  bound()
  return item
}

/** No more links than are taken. */
function bound() {
  const add = element('add')
  add.disabled = blocks.children.length >= Number(add.dataset.most)
}

function move(button) {
  const item = button.closest('li')
  if (button.dataset.move === 'up') item.previousElementSibling?.before(item)
  if (button.dataset.move === 'down') item.nextElementSibling?.after(item)
  if (button.dataset.move === 'out') {
    const next = item.nextElementSibling ?? item.previousElementSibling
    item.remove()
    bound()
    const focus = next?.querySelector('[name=url]') ?? element('add')
    focus.focus()
    return
  }
  button.focus()
}

/** The fields of a link, as people know them. */
const NAMES = { type: 'The kind', label: 'The label', url: 'The address' }

/** The sentences that the API has for the fields, each beside its own; the first of them gets the focus. */
function showErrors(fields) {
  for (const error of editor.querySelectorAll('.error')) error.textContent = ''
  for (const field of editor.querySelectorAll('[aria-invalid]')) field.removeAttribute('aria-invalid')
  for (const [path, problem] of Object.entries(fields)) {
    const [list, index, name] = path.split('.')
    const item = list === 'blocks' && index !== undefined ? blocks.children[Number(index)] : undefined
    const error = item?.querySelector('.error') ?? editor.querySelector(`[data-path="${list}"]`)
    if (error) error.textContent += `${NAMES[name] ?? 'This'} ${problem}. `
    const field = item ? item.querySelector(`[name="${name}"]`) : editor.querySelector(`[name="${list}"]`)
    field?.setAttribute('aria-invalid', 'true')
  }
  editor.querySelector('[aria-invalid]')?.focus()
}

function edited() {
  const items = [...blocks.children].map((item) => ({
    type: Number(item.querySelector('[name=type]').value),
    label: item.querySelector('[name=label]').value,
    url: item.querySelector('[name=url]').value.trim(),
  }))
  return { tagline: element('tagline').value, blocks: items }
}

function showProfile(profile) {
  element('tagline').value = profile.tagline ?? ''
  blocks.replaceChildren()
  for (const block of profile.blocks) addBlock(block)
  bound()
  const page = element('page')
  if (profile.isPublic) {
    const link = document.createElement('a')
    link.href = `/@${encodeURIComponent(profile.username)}`
    link.textContent = `Your page: @${profile.username}`
    page.replaceChildren(link)
  } else {
    page.textContent = 'Your page appears as soon as your account has arrived here and has a username.'
  }
}

async function save(event) {
  event.preventDefault()
  const [button, saved] = ['save', 'saved'].map(element)
  button.disabled = true
  saved.textContent = 'Saving …'
  try {
    const { ok, answer } = await me('PUT', edited())
    showErrors(answer.error?.fields ?? {})
    saved.textContent = ok ? 'Saved.' : answer.error.message
    if (ok) showProfile(answer)
  } catch {
    saved.textContent = 'That did not get through. Nothing was changed; please try again.'
  }
  button.disabled = false
}

async function showEditor() {
  tell('Loading …')
  const { ok, answer } = await me('GET')
  if (!ok) return tell(answer.error.message)
  showProfile(answer)
  clerk.mountUserButton(element('account'))
  editor.hidden = false
  tell('')
}

async function begin() {
  if (!clerk) return tell('Clerk could not be loaded. Is CLERK_PUBLISHABLE_KEY right, and is nothing blocking it?')
  await clerk.load({ ui: { ClerkUI: window.__internal_ClerkUICtor } })
  const wasSignedIn = Boolean(clerk.session)
  clerk.addListener(() => {
    if (Boolean(clerk.session) !== wasSignedIn) location.assign('/edit')
  })
  if (wasSignedIn) return showEditor()
  tell('')
  signIn.hidden = false
  clerk.mountSignIn(signIn, { routing: 'hash', forceRedirectUrl: '/edit', signUpForceRedirectUrl: '/edit' })
}

editor.addEventListener('submit', save)
element('add').addEventListener('click', () => addBlock().querySelector('[name=url]').focus())
blocks.addEventListener('click', ({ target }) => target.dataset.move && move(target))
begin().catch(() => tell('Something went wrong. Please load the page again.'))
