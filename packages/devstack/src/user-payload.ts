import type { Address, Person } from './people.js'

/** Clerk's `User` object for a person, keys in alphabetical order as Clerk sends them. */
export function userPayload(person: Person): object {
  return {
    backup_code_enabled: person.twoFactor,
    banned: person.banned,
    create_organization_enabled: true,
    create_organizations_limit: null,
    created_at: person.createdAtMs,
    delete_self_enabled: true,
    email_addresses: person.emails.map((email) => emailPayload(email, person)),
    enterprise_accounts: [],
    external_accounts: person.account === null ? [] : [accountPayload(person.account, person)],
    external_id: person.externalId,
    first_name: person.firstName,
    has_image: true,
    id: person.id,
    image_url: person.imageUrl,
    last_active_at: person.lastSignInAtMs,
    last_name: person.lastName,
    last_sign_in_at: person.lastSignInAtMs,
    legal_accepted_at: null,
    locale: null,
    locked: person.locked,
    lockout_expires_in_seconds: person.locked ? 3600 : null,
    mfa_disabled_at: null,
    mfa_enabled_at: person.twoFactor ? person.createdAtMs : null,
    object: 'user',
    passkeys: [],
    password_enabled: person.account === null,
    phone_numbers: person.phone === null ? [] : [phonePayload(person.phone, person)],
    primary_email_address_id: person.primaryEmailId,
    primary_phone_number_id: person.phone?.id ?? null,
    primary_web3_wallet_id: null,
    private_metadata: {},
    public_metadata: person.publicMetadata,
    saml_accounts: [],
    totp_enabled: person.twoFactor,
    two_factor_enabled: person.twoFactor,
    unsafe_metadata: person.unsafeMetadata,
    updated_at: person.updatedAtMs,
    username: person.username,
    verification_attempts_remaining: 100,
    web3_wallets: [],
  }
}

function emailPayload(email: Address, person: Person): object {
  const account = person.account
  return {
    created_at: person.createdAtMs,
    email_address: email.address,
    id: email.id,
    linked_to: account === null ? [] : [{ id: account.id, type: account.provider }],
    matches_sso_connection: false,
    object: 'email_address',
    reserved: false,
    updated_at: person.createdAtMs,
    verification: verification(account?.provider ?? 'email_code', person),
  }
}

function accountPayload(account: NonNullable<Person['account']>, person: Person): object {
  return {
    approved_scopes: 'email openid profile',
    avatar_url: `https://avatars.example.com/${account.id}`,
    created_at: person.createdAtMs,
    email_address: person.emails[0]?.address ?? '',
    external_account_id: account.id,
    first_name: person.firstName ?? '',
    id: account.id,
    identification_id: person.emails[0]?.id ?? null,
    label: null,
    last_name: person.lastName ?? '',
    object: 'external_account',
    provider: account.provider,
    provider_user_id: account.id.slice(-21),
    public_metadata: {},
    updated_at: person.createdAtMs,
    username: person.username ?? '',
    verification: verification(account.provider, person),
  }
}

function phonePayload(phone: NonNullable<Person['phone']>, person: Person): object {
  return {
    // Clerk sends these in clear when the second factor is set up; a mirror must not keep them.
    backup_codes: person.twoFactor ? [phone.id.slice(-10), phone.id.slice(4, 14)] : null,
    created_at: person.createdAtMs,
    default_second_factor: person.twoFactor,
    id: phone.id,
    linked_to: [],
    object: 'phone_number',
    phone_number: phone.number,
    reserved: false,
    reserved_for_second_factor: person.twoFactor,
    updated_at: person.createdAtMs,
    verification: verification('phone_code', person),
  }
}

function verification(strategy: string, person: Person): object {
  const expireAt = person.createdAtMs + 600_000
  return { attempts: 1, expire_at: expireAt, object: 'verification_otp', status: 'verified', strategy }
}
