/** One and many of a unit that stands behind a number. */
const units: Readonly<Record<string, readonly [one: string, many: string]>> = {
  km: ['kilometer', 'kilometers'],
  m: ['meter', 'meters'],
  cm: ['centimeter', 'centimeters'],
  mm: ['millimeter', 'millimeters'],
  mi: ['mile', 'miles'],
  ft: ['foot', 'feet'],
  kg: ['kilogram', 'kilograms'],
  g: ['gram', 'grams'],
  mg: ['milligram', 'milligrams'],
  lb: ['pound', 'pounds'],
  lbs: ['pound', 'pounds'],
  oz: ['ounce', 'ounces'],
  l: ['liter', 'liters'],
  L: ['liter', 'liters'],
  ml: ['milliliter', 'milliliters'],
  ms: ['millisecond', 'milliseconds'],
  s: ['second', 'seconds'],
  min: ['minute', 'minutes'],
  h: ['hour', 'hours'],
  hr: ['hour', 'hours'],
  hrs: ['hour', 'hours'],
  Hz: ['hertz', 'hertz'],
  kHz: ['kilohertz', 'kilohertz'],
  MHz: ['megahertz', 'megahertz'],
  GHz: ['gigahertz', 'gigahertz'],
  kB: ['kilobyte', 'kilobytes'],
  KB: ['kilobyte', 'kilobytes'],
  MB: ['megabyte', 'megabytes'],
  GB: ['gigabyte', 'gigabytes'],
  TB: ['terabyte', 'terabytes'],
  W: ['watt', 'watts'],
  kW: ['kilowatt', 'kilowatts'],
  kWh: ['kilowatt hour', 'kilowatt hours'],
  V: ['volt', 'volts'],
  mph: ['mile per hour', 'miles per hour'],
  'km/h': ['kilometer per hour', 'kilometers per hour'],
  '°C': ['degree celsius', 'degrees celsius'],
  '°F': ['degree fahrenheit', 'degrees fahrenheit'],
  '°': ['degree', 'degrees'],
  '%': ['percent', 'percent']
}

/** Pattern of a unit behind a number, the longest first. */
export const UNIT_PATTERN = Object.keys(units)
  .toSorted((a, b) => b.length - a.length)
  .join('|')

/** @param count the number before it, as written */
export function unit(written: string, count: string): string {
  const [one, many] = units[written] ?? [written, written]
  return count === '1' ? one : many
}

interface Currency {
  readonly one: string
  readonly many: string
  readonly part: readonly [one: string, many: string]
}

const currencies: Readonly<Record<string, Currency>> = {
  $: { one: 'dollar', many: 'dollars', part: ['cent', 'cents'] },
  '£': { one: 'pound', many: 'pounds', part: ['penny', 'pence'] },
  '€': { one: 'euro', many: 'euros', part: ['cent', 'cents'] },
  '¥': { one: 'yen', many: 'yen', part: ['sen', 'sen'] },
  '₹': { one: 'rupee', many: 'rupees', part: ['paisa', 'paise'] }
}

export const CURRENCY_PATTERN = '[$£€¥₹]'

/**
 * Names of a sum of money.
 *
 * @param sign one that {@link CURRENCY_PATTERN} matches
 * @param whole digits before the point
 */
export function currency(sign: string, whole: string): string {
  const { one, many } = currencies[sign] ?? { one: '', many: '' }
  return whole === '1' ? one : many
}

/** @param cents two digits behind the point */
export function currencyPart(sign: string, cents: string): string {
  const [one, many] = currencies[sign]?.part ?? ['', '']
  return Number(cents) === 1 ? one : many
}
