const DATE =
  '(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8])))'
const CLOCK = '(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,6})?)'
const ZONE = '(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])'
const OCTET = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])'
const LABEL = '(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)'
const HOST = `(?:${LABEL}(?:\\.${LABEL}){0,8})`

const POINTER = '(?:/(?:[^/~]|~[01])*)*'
const TAIL = "[A-Za-z0-9_.~!$&'()*+,;=:@-]*"
const URI = `[a-z][a-z0-9+.-]{0,15}://${HOST}(?::[0-9]{1,4})?(?:/${TAIL})*(?:\\?[A-Za-z0-9_.~!$&'()*+,;=:@/?-]*)?`
const EMAIL = `[A-Za-z0-9_+-]{1,32}(?:\\.[A-Za-z0-9_+-]{1,32}){0,3}@${LABEL}(?:\\.${LABEL}){1,4}`

/**
 * Patterns for the formats of JSON Schema that are enforced. Each accepts texts of its format only, if not all of them:
 * a date is never the 29th of February, so that no year has to be looked at. A `regex`, and what a draft does not know, is any
 * text.
 */
export const FORMAT_PATTERNS: Readonly<Record<string, string>> = {
  date: `^${DATE}$`,
  time: `^${CLOCK}${ZONE}$`,
  'date-time': `^${DATE}T${CLOCK}${ZONE}$`,
  duration: '^P(?:[0-9]{1,6}W|[0-9]{1,6}D|(?:[0-9]{1,6}D)?T(?:[0-9]{1,6}H)?(?:[0-9]{1,6}M)?[0-9]{1,6}S)$',
  email: `^${EMAIL}$`,
  'idn-email': `^${EMAIL}$`,
  hostname: `^${HOST}$`,
  'idn-hostname': `^${HOST}$`,
  ipv4: `^${OCTET}(?:\\.${OCTET}){3}$`,
  ipv6: '^(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}$',
  uuid: '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$',
  uri: `^${URI}$`,
  iri: `^${URI}$`,
  'uri-reference': `^(?:${URI}|(?:/${TAIL})+)$`,
  'iri-reference': `^(?:${URI}|(?:/${TAIL})+)$`,
  'uri-template': `^${URI}$`,
  'json-pointer': `^${POINTER}$`,
  'relative-json-pointer': `^(?:0|[1-9][0-9]{0,5})(?:#|${POINTER})$`
}
