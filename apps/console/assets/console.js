// Everything works without this file; it keeps pages fresh, and saves clicks.

const PATIENCE_MS = 6_000
const AGAIN_MS = 3_000

/** Replaces what a `data-live` element holds with what its address answers, every `data-every` milliseconds. */
function keepFresh(region) {
  const everyMs = Number(region.dataset.every ?? 5_000)
  const box = document.getElementById('trouble')
  const trouble = (markup) => {
    region.classList.toggle('stale', markup !== '')
    // Said once, not at every attempt: it is read out loud.
    if (box.innerHTML === markup) return
    box.innerHTML = markup
    box.hidden = markup === ''
  }
  async function refresh() {
    if (document.hidden) return true
    const signal = AbortSignal.timeout(PATIENCE_MS)
    const response = await fetch(region.dataset.live, { headers: { accept: 'text/html' }, signal })
    if (response.status === 401) location.reload()
    const text = await response.text()
    trouble(response.ok ? '' : text)
    if (response.ok) replace(region, text)
    return region.querySelector('[data-done]') === null
  }
  const silence = '<h2>The console does not answer</h2><p>This content is old. The page retries every few seconds.</p>'
  const inTurn = async () => {
    const goesOn = await refresh().catch(() => {
      trouble(silence)
      return true
    })
    if (goesOn) setTimeout(inTurn, everyMs)
  }
  setTimeout(inTurn, everyMs)
}

/** Whoever moves through the page by keyboard keeps their place. */
function replace(region, text) {
  const focused = region.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null
  region.innerHTML = text
  if (focused !== null) region.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus()
}

/** One box that ticks all, and a count of what is ticked. */
function countSelected(form) {
  const boxes = [...form.querySelectorAll('input[name="id"]')]
  const all = form.querySelector('[data-all]')
  const count = form.querySelector('[data-count]')
  const show = () => {
    const ticked = boxes.filter((box) => box.checked).length
    if (all) {
      all.checked = ticked > 0 && ticked === boxes.length
      all.indeterminate = ticked > 0 && ticked < boxes.length
    }
    if (count) count.textContent = ticked === 0 ? 'None selected' : `${ticked} selected`
    for (const button of form.querySelectorAll('[data-needs-selection]')) button.disabled = ticked === 0
  }
  all?.addEventListener('change', () => {
    for (const box of boxes) box.checked = all.checked
    show()
  })
  form.addEventListener('change', show)
  show()
}

/** A page that could not be made is asked for again until it can. */
function comeBack() {
  const again = async () => {
    const response = await fetch(location.href, { signal: AbortSignal.timeout(PATIENCE_MS) }).catch(() => null)
    if (response?.ok) location.reload()
    else setTimeout(again, AGAIN_MS)
  }
  setTimeout(again, AGAIN_MS)
}

if (document.querySelector('[data-come-back]')) comeBack()
for (const region of document.querySelectorAll('[data-live]')) keepFresh(region)
for (const form of document.querySelectorAll('form[data-selection]')) countSelected(form)

// As on many a page: "/" goes to the search box.
document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.ctrlKey || event.metaKey || event.target.closest('input, textarea, select')) return
  event.preventDefault()
  document.getElementById('search')?.focus()
})
