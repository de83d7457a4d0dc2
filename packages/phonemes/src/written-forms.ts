import { cardinal, decade, eachDigit, number, ordinal, year } from './number-words.ts'
import { letters, mark, type Token, words } from './tokens.ts'
import { CURRENCY_PATTERN, currency, currencyPart, UNIT_PATTERN, unit } from './units.ts'

/** A form of writing that is read otherwise than its letters say. */
export interface WrittenForm {
  /** Sticky; matches one such form. What it may repeat has a bound. */
  readonly pattern: RegExp
  /** @param groups of the match, '' where one took no part @returns undefined: it is not this form after all */
  read(groups: readonly string[]): readonly Token[] | undefined
}

const MONTHS = [
  'january',
  'february',
  'march',
  'april',
  'may',
  'june',
  'july',
  'august',
  'september',
  'october',
  'november',
  'december'
]

const DIGITS = String.raw`\d{1,3}(?:,\d{3}){1,8}|\d{1,64}`
/** Not within a longer number or word. */
const END = String.raw`(?![\p{L}\d])`

function form(pattern: string, read: WrittenForm['read']): WrittenForm {
  return { pattern: new RegExp(pattern, 'uy'), read }
}

/** In the order in which they are tried. */
export const writtenForms: readonly WrittenForm[] = [
  form(String.raw`(?:https?:\/\/|www\.)[^\s<>"()]{1,256}[\p{L}\d/]`, ([address = '']) => {
    return readAddress(address.replace(/^https?:\/\//, ''))
  }),
  form(String.raw`[\p{L}\d][\p{L}\d._+-]{0,63}@[\p{L}\d-]{1,63}(?:\.[\p{L}\d-]{1,63}){1,4}`, ([address = '']) => {
    return readAddress(address)
  }),
  form(String.raw`[\p{L}\d-]{1,63}(?:\.[\p{L}\d-]{1,63}){0,3}\.(?:com|org|net|edu|gov|io|dev)${END}`, ([name = '']) => {
    return readAddress(name)
  }),
  form(
    String.raw`(${CURRENCY_PATTERN}) ?(${DIGITS})(?:\.(\d{1,4}))?(?: ?(hundred|thousand|million|billion|trillion|k|M|bn)${END})?`,
    ([, sign = '', whole = '', fraction = '', scale = '']) => money(sign, whole, fraction, scale)
  ),
  form(String.raw`(\d{4})-(\d\d)-(\d\d)${END}`, ([, years = '', month = '', day = '']) => date(years, month, day)),
  form(String.raw`(\d{1,2})\/(\d{1,2})\/(\d{4})${END}`, ([, month = '', day = '', years = '']) => {
    return date(years, month, day)
  }),
  form(
    String.raw`(\d{1,2}):([0-5]\d)(?::([0-5]\d))?(?: ?([ap])\.?m(?:\.(?! ?\p{Lu})|(?![\p{L}])))?${END}`,
    ([, hour = '', minute = '', second = '', half = '']) => time(hour, minute, second, half)
  ),
  form(String.raw`(\d{1,2}) ?([ap])\.?m(?:\.(?! ?\p{Lu})|(?![\p{L}]))`, ([, hour = '', half = '']) => {
    return [...words(cardinal(hour)), letters(`${half}m`)]
  }),
  form(String.raw`(?:\+?\d{1,3}[ -])?(?:\(\d{3}\) ?|\d{3}-)\d{3}-\d{4}${END}`, ([all = '']) => {
    const groups = all.split(/[^\d]+/).filter(group => group !== '')
    return groups.flatMap((group, index) => [...(index > 0 ? [mark(',')] : []), ...words(eachDigit(group))])
  }),
  form(String.raw`(\d{1,9})(st|nd|rd|th)${END}`, ([, digits = '']) => words(ordinal(digits))),
  form(String.raw`'?(\d{2}|\d{4})s${END}`, ([, digits = '']) => {
    return digits.endsWith('0') ? words(decade(digits)) : undefined
  }),
  form(String.raw`\d{1,5}(?:\.\d{1,5}){2,7}${END}`, ([all = '']) => {
    return words(all.split('.').map(cardinal).join(' point '))
  }),
  form(String.raw`([1-9]\d?)\/([1-9]\d?)(?![\d/])`, ([, top = '', bottom = '']) => fraction(top, bottom)),
  form(String.raw`(\d{1,9})[-–](\d{1,9})(?: ?(${UNIT_PATTERN}))?${END}`, ([, from = '', to = '', measure = '']) => {
    const range = measure === '' ? `${integer(from)} to ${integer(to)}` : `${number(from)} to ${number(to)}`
    return words(measure === '' ? range : `${range} ${unit(measure, to)}`)
  }),
  form(String.raw`#(\d{1,64})${END}`, ([, digits = '']) => words(`number ${cardinal(digits)}`)),
  form(
    String.raw`([-−–+]?)(${DIGITS})(?:\.(\d{1,64}))?( ?)(${UNIT_PATTERN})${END}`,
    ([, sign = '', whole = '', behind = '', space = '', measure = '']) => {
      // `5 m` may be meters; `5 s later` and `3 l` are rare, and letters of their own more often
      if (space !== '' && /^[slgmhVWL]$/.test(measure) && measure !== 'm') return undefined
      const written = withFraction(whole, behind)
      return words(`${signWord(sign)} ${number(written)} ${unit(measure, written)}`)
    }
  ),
  form(String.raw`([-−+]?)(${DIGITS})(?:\.(\d{1,64}))?`, ([, sign = '', whole = '', behind = '']) => {
    if (behind === '' && sign === '') return words(integer(whole))
    return words(`${signWord(sign)} ${number(withFraction(whole, behind))}`)
  }),
  form(String.raw`\.(\d{1,64})${END}`, ([, digits = '']) => words(`point ${eachDigit(digits)}`))
]

/** A number that stands alone: four digits are a year more often than not. */
function integer(written: string): string {
  return /^(?:1[1-9]|20)\d\d$/.test(written) ? year(written) : number(written)
}

function withFraction(whole: string, behind: string): string {
  return behind === '' ? whole : `${whole}.${behind}`
}

function signWord(sign: string): string {
  if (sign === '') return ''
  return sign === '+' ? 'plus' : 'minus'
}

const SCALE_LETTERS: Readonly<Record<string, string>> = { k: 'thousand', M: 'million', bn: 'billion' }

function money(sign: string, whole: string, fraction: string, scale: string): Token[] {
  if (scale !== '') {
    const scaleWord = SCALE_LETTERS[scale] ?? scale
    return words(`${number(withFraction(whole, fraction))} ${scaleWord} ${currency(sign, '2')}`)
  }
  const front = `${number(whole)} ${currency(sign, whole)}`
  if (fraction === '' || Number(fraction) === 0) return words(front)
  if (fraction.length !== 2) return words(`${number(withFraction(whole, fraction))} ${currency(sign, '2')}`)
  const cents = `${cardinal(fraction)} ${currencyPart(sign, fraction)}`
  return words(Number(whole.replaceAll(',', '')) === 0 ? cents : `${front} and ${cents}`)
}

function date(years: string, month: string, day: string): Token[] | undefined {
  const name = MONTHS[Number(month) - 1]
  if (name === undefined || Number(day) < 1 || Number(day) > 31) return undefined
  return [...words(`${name} ${ordinal(day)}`), mark(','), ...words(year(years))]
}

function time(hour: string, minute: string, second: string, half: string): Token[] | undefined {
  if (Number(hour) > 24) return undefined
  const said = [cardinal(hour)]
  if (minute !== '00') said.push(minute.startsWith('0') ? `oh ${cardinal(minute)}` : cardinal(minute))
  else if (half === '') said.push(Number(hour) > 12 ? 'hundred' : "o'clock")
  if (second !== '') said.push(`and ${cardinal(second)} seconds`)
  return [...words(said.join(' ')), ...(half === '' ? [] : [letters(`${half}m`)])]
}

function fraction(top: string, bottom: string): Token[] | undefined {
  if (Number(bottom) < 2 || Number(top) >= Number(bottom)) return undefined
  const many = top === '1' ? '' : 's'
  const named: Readonly<Record<string, string>> = { 2: 'half', 4: `quarter${many}` }
  return words(`${cardinal(top)} ${named[bottom] ?? `${ordinal(bottom)}${many}`}`)
}

const ADDRESS_SIGNS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    '.': 'dot',
    '@': 'at',
    '/': 'slash',
    '-': 'dash',
    _: 'underscore',
    ':': 'colon',
    '?': 'question mark',
    '&': 'and',
    '=': 'equals',
    '#': 'hash',
    '+': 'plus',
    '%': 'percent',
    '~': 'tilde'
  })
)

function readAddress(address: string): Token[] {
  const parts = address.match(/\p{L}+|\d+|[^\p{L}\d]/gu) ?? []
  return parts.flatMap(part => {
    if (/^\d/.test(part)) return words(eachDigit(part))
    if (/^(?:www|io|edu)$/.test(part)) return [letters(part)]
    return words(ADDRESS_SIGNS.get(part) ?? part)
  })
}
