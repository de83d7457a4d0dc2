const MONTHS = 'January February March April May June July August September October November December'.split(' ')
const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ')

/** The directives of C's `strftime` that published chat templates use. */
const directives: ReadonlyMap<string, (date: Date) => string> = new Map([
  ['Y', date => String(date.getUTCFullYear())],
  ['y', date => twoDigits(date.getUTCFullYear() % 100)],
  ['m', date => twoDigits(date.getUTCMonth() + 1)],
  ['B', date => MONTHS[date.getUTCMonth()] ?? ''],
  ['b', date => (MONTHS[date.getUTCMonth()] ?? '').slice(0, 3)],
  ['d', date => twoDigits(date.getUTCDate())],
  ['A', date => DAYS[date.getUTCDay()] ?? ''],
  ['a', date => (DAYS[date.getUTCDay()] ?? '').slice(0, 3)],
  ['H', date => twoDigits(date.getUTCHours())],
  ['I', date => twoDigits(date.getUTCHours() % 12 || 12)],
  ['p', date => (date.getUTCHours() < 12 ? 'AM' : 'PM')],
  ['M', date => twoDigits(date.getUTCMinutes())],
  ['S', date => twoDigits(date.getUTCSeconds())],
  ['%', () => '%']
] satisfies [string, (date: Date) => string][])

/**
 * Formats a point in time as C's `strftime` does in the C locale, in UTC. A directive that is not known stays as it is.
 *
 * @param unixMs Unix time in milliseconds
 */
export function formatTime(format: string, unixMs: number): string {
  const date = new Date(unixMs)
  return format.replaceAll(/%([A-Za-z%])/g, (whole, directive: string) => directives.get(directive)?.(date) ?? whole)
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}
