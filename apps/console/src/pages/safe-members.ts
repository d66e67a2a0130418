const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/))

/*
 * Members of a payload that every account of the console may see. A member that is not named here is hidden, under any
 * name: Clerk adds members, and one day one of them holds an address.
 */

/** Objects with members that are shown one by one. Every other object is hidden whole. */
export const CONTAINERS = words(`
  data event_attributes http_request email_addresses phone_numbers web3_wallets external_accounts enterprise_accounts
  saml_accounts passkeys verification linked_to organization public_user_data public_organization_data user invitation
  latest_activity payer payee plan items subscription_items payment_source version
`)

/** Ids of Clerk's own making, and of the runs of reactions. Not the application's, such as external_id. */
export const IDS = words(`
  id instance_id user_id organization_id client_id session_id created_by last_active_organization_id
  primary_email_address_id primary_phone_number_id primary_web3_wallet_id email_address_id phone_number_id
  identification_id enterprise_connection_id organization_membership_id organization_domain_id invitation_id role_id
  payer_id plan_id product_id payment_id payment_source_id statement_id subscription_id latest_payment_id
  objectId userId organizationId eventId
`)

/** Moments, as numbers. */
export const TIMES = words(`
  timestamp created_at updated_at deleted_at expire_at expires_at abandon_at active_at last_active_at last_sign_in_at
  ended_at canceled_at paid_at failed_at past_due_at period_start period_end legal_accepted_at mfa_enabled_at
  mfa_disabled_at password_last_updated_at updatedAtMs timestampMs askedAtMs
`)

export const COUNTS = words(`
  attempts verification_attempts_remaining lockout_expires_in_seconds members_count pending_invitations_count
  total_pending_invitations total_pending_suggestions max_allowed_memberships create_organizations_limit
`)

/** True or false. */
export const FLAGS = words(`
  deleted banned locked has_image password_enabled totp_enabled backup_code_enabled two_factor_enabled
  create_organization_enabled delete_self_enabled admin_delete_enabled publicly_visible delivered_by_clerk reserved
  default_second_factor reserved_for_second_factor is_default is_recurring is_free_trial is_mobile
`)

/** Members with one of few words, and those of Clerk's that are not personal. */
export const WORDS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  [
    'object',
    words(`
      event user organization organization_membership organization_invitation organization_domain session email sms
      email_address phone_number web3_wallet external_account google_account facebook_account saml_account
      enterprise_account passkey waitlist_entry invitation role permission session_activity commerce_payer
      commerce_subscription commerce_subscription_item commerce_plan commerce_payment_attempt
    `),
  ],
  ['type', words('custom system email_address phone_number web3_wallet oauth_google oauth_github oauth_apple saml')],
  [
    'status',
    words(`
      active inactive pending completed accepted rejected revoked expired ended removed replaced abandoned verified
      unverified transferable failed canceled past_due incomplete upcoming free_trial_ending paid
    `),
  ],
  [
    'strategy',
    words(`
      admin ticket email_code email_link phone_code from_oauth_google from_oauth_github oauth_google oauth_github
      oauth_apple saml password passkey
    `),
  ],
  ['enrollment_mode', words('manual_invitation automatic_invitation automatic_suggestion')],
  // Of the runs of reactions.
  ['what', words('created updated deleted')],
  ['kind', words('user organization organizationMembership organizationInvitation organizationDomain session')],
  ['role', words('admin basic_member guest_member org:admin org:member')],
])
