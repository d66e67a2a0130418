export { membersThatDiffer } from './api-copy.js'
export { changedMembers } from './changed-members.js'
export { type Change, type DecodeResult, decode } from './decode.js'
export { type Envelope, type EventSource, eventIdOf } from './envelope.js'
export { Failure, type FailureClass } from './failure.js'
export { id as asObjectId } from './fields.js'
export {
  type InstallationCode,
  type InstallationRefusal,
  type InstallationStamp,
  matchInstallations,
} from './installation.js'
export { elementTexts, memberText } from './json-text.js'
export {
  type ClerkObject,
  KINDS_THAT_OUTLIVE_THEIR_USER,
  KNOWN_KINDS,
  kindNamed,
  type ObjectOf,
  type TypedKind,
} from './kinds/index.js'
export type { Owners } from './kinds/kind.js'
export { isNeverStored, type KindsSetting, kindOf, type MirroredKinds, parseMirroredKinds } from './mirrored-kinds.js'
export { type PeekResult, peek } from './peek.js'
export {
  type Addresses,
  addressesOf,
  asJsonMember,
  asJsonObject,
  isWordOf,
  mentions,
  type Person,
  type PersonsObject,
  searchTextsOf,
  type Tie,
  tieTo,
} from './person.js'
export {
  type CheckedSignatureHeaders,
  checkSignatureHeaders,
  type HeaderVerdict,
  parseSigningSecrets,
  type SignatureFault,
  type SignatureVerdict,
  type SigningKey,
  verifyRequest,
  verifySignature,
} from './signature.js'
export { readStoredObject } from './stored-object.js'
export { compareVersions, type Version } from './version.js'
