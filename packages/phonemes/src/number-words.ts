const ONES = [
  'zero',
  'one',
  'two',
  'three',
  'four',
  'five',
  'six',
  'seven',
  'eight',
  'nine',
  'ten',
  'eleven',
  'twelve',
  'thirteen',
  'fourteen',
  'fifteen',
  'sixteen',
  'seventeen',
  'eighteen',
  'nineteen'
]
const TENS = ['', '', 'twenty', 'thirty', 'forty', 'fifty', 'sixty', 'seventy', 'eighty', 'ninety']
const SCALES = ['', 'thousand', 'million', 'billion', 'trillion', 'quadrillion']

/** Digits of the longest number that is said as a number; longer ones are said digit by digit. */
const DIGITS_MAX = 3 * SCALES.length

const IRREGULAR_ORDINALS: Readonly<Record<string, string>> = {
  one: 'first',
  two: 'second',
  three: 'third',
  five: 'fifth',
  eight: 'eighth',
  nine: 'ninth',
  twelve: 'twelfth'
}

/** `1234` → `one thousand two hundred thirty four`. @param digits decimal digits alone */
export function cardinal(digits: string): string {
  const plain = digits.replace(/^0+(?=\d)/, '')
  if (plain.length > DIGITS_MAX) return eachDigit(digits)
  const words: string[] = []
  const groups = Math.ceil(plain.length / 3)
  const padded = plain.padStart(3 * groups, '0')
  for (let group = 0; group < groups; group++) {
    const value = Number(padded.slice(3 * group, 3 * group + 3))
    if (value === 0) continue
    words.push(...belowThousand(value), SCALES[groups - 1 - group] ?? '')
  }
  return words.filter(word => word !== '').join(' ') || 'zero'
}

/** `21` → `twenty first`. @param digits decimal digits alone */
export function ordinal(digits: string): string {
  const words = cardinal(digits).split(' ')
  const last = words.pop() ?? ''
  const regular = last.endsWith('y') ? `${last.slice(0, -1)}ieth` : `${last}th`
  return [...words, IRREGULAR_ORDINALS[last] ?? regular].join(' ')
}

/** `2024` → `twenty twenty four`, `1900` → `nineteen hundred`, `2005` → `two thousand five`. @param digits four of them */
export function year(digits: string): string {
  const century = digits.slice(0, 2)
  const rest = Number(digits.slice(2))
  if (digits[1] === '0' && rest < 10) return cardinal(digits)
  if (rest === 0) return `${cardinal(century)} hundred`
  return `${cardinal(century)} ${rest < 10 ? `oh ${ONES[rest]}` : belowHundred(rest).join(' ')}`
}

/** `1990` → `nineteen nineties`, `80` → `eighties`. @param digits two or four of them, the last a zero */
export function decade(digits: string): string {
  const words = (digits.length === 4 ? year(digits) : cardinal(digits)).split(' ')
  const last = words.pop() ?? ''
  return [...words, last.endsWith('y') ? `${last.slice(0, -1)}ies` : `${last}s`].join(' ')
}

/** `007` → `zero zero seven`. @param digits decimal digits alone */
export function eachDigit(digits: string): string {
  return Array.from(digits, digit => ONES[Number(digit)] ?? '').join(' ')
}

/**
 * A number as it is written, with commas between thousands and a fraction, as in `1,234.50`.
 * @param written digits, commas and at most one point
 */
export function number(written: string): string {
  const [whole = '', fraction] = written.replaceAll(',', '').split('.')
  // who writes zeros in front means the digits
  const front = /^0\d/.test(whole) && fraction === undefined ? eachDigit(whole) : cardinal(whole || '0')
  return fraction === undefined ? front : `${front} point ${eachDigit(fraction)}`
}

function belowThousand(value: number): string[] {
  const hundreds = Math.floor(value / 100)
  return [...(hundreds > 0 ? [ONES[hundreds] ?? '', 'hundred'] : []), ...belowHundred(value % 100)]
}

function belowHundred(value: number): string[] {
  if (value === 0) return []
  if (value < ONES.length) return [ONES[value] ?? '']
  const one = value % 10
  return [TENS[Math.floor(value / 10)] ?? '', ...(one > 0 ? [ONES[one] ?? ''] : [])]
}
