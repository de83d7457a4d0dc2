import { assertProperty, hardTexts } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { tokenize } from '../src/tokenize.ts'
import type { Token } from '../src/tokens.ts'

function said(text: string): string {
  return tokenize(text)
    .tokens.map(token => {
      if (token.kind === 'word') return token.text
      if (token.kind === 'letters') return `<${token.text}${token.ending ? '+s' : ''}>`
      return token.kind === 'mark' ? token.mark : '/'
    })
    .join(' ')
}

const readings: Readonly<Record<string, string>> = {
  'I have 21 apples.': 'I have twenty one apples .',
  '1,234,567': 'one million two hundred thirty four thousand five hundred sixty seven',
  '0 00 007': 'zero zero zero zero zero seven',
  'pi is 3.14': 'pi is three point one four',
  '-5 and .5': 'minus five and point five',
  'In 1999, 2005 and 2024.': 'In nineteen ninety nine , two thousand five and twenty twenty four .',
  'the 1990s and the 80s': 'the nineteen nineties and the eighties',
  'the 1st, 22nd and 30th': 'the first , twenty second and thirtieth',
  '$3.50, $1, $0.05, £2.01': 'three dollars and fifty cents , one dollar , five cents , two pounds and one penny',
  '€2.5 million and $10k': 'two point five million euros and ten thousand dollars',
  '25% of 5 kg at 20°C': 'twenty five percent of five kilograms at twenty degrees celsius',
  '10-20 km': 'ten to twenty kilometers',
  'at 10:30 a.m. or 7 pm': 'at ten thirty <am> or seven <pm>',
  'at 9:05. At 12:00': "at nine oh five . At twelve o'clock",
  '2024-05-17': 'may seventeenth , twenty twenty four',
  'Dr. Smith of St. Paul lives on Main St.': 'doctor Smith of saint Paul lives on Main street .',
  'e.g. this, i.e. that, etc.': 'for example this , that is that , etcetera .',
  'No. 5, but no. He left.': 'number five , but no . He left .',
  'The FBI and the U.S. The CDs of the FBI’s': "The FBI and the <US> . The <CD+s> of the FBI's",
  'Let US see IT': 'Let <US> see <IT>',
  'LET US SEE IT': 'LET US SEE IT',
  'Chapter IV of Henry VIII, by I. Newton': 'Chapter four of Henry the eighth , by I . Newton',
  '3/4 of a cup': 'three quarters of a cup',
  'me@x.org, https://a.io/b': 'me at x dot org , a dot <io> slash b',
  'Tom & Jerry + 1 = #3': 'Tom and Jerry plus one equals number three',
  'call 555-123-4567': 'call five five five , one two three , four five six seven',
  'version 1.2.3': 'version one point two point three',
  'Wait... what?! Yes': 'Wait . what ? Yes',
  'He said "no" (twice) -- and — left': 'He said no twice , and , left',
  'one\n\ntwo\nthree': 'one / two three',
  'Café naïve Straße don’t': "Cafe naive Strasse don't"
}

for (const [text, words] of Object.entries(readings)) {
  t.test(`"${text.replaceAll('\n', '\\n')}" is read as it is meant`, async t => t.equal(said(text), words))
}

t.test('what has no sound is told, once each', async t => {
  const { tokens, unspoken } = tokenize('Привет, world! 你好 👋 Привет')
  t.strictSame(
    tokens.filter((token): token is Extract<Token, { kind: 'word' }> => token.kind === 'word').map(({ text }) => text),
    ['world']
  )
  t.strictSame(unspoken, [...'Привет你好👋'])
})

t.test('any text becomes words of basic Latin letters', async t => {
  const plain = ({ tokens }: ReturnType<typeof tokenize>): boolean =>
    tokens.every(token => !('text' in token) || /^[A-Za-z']*$/.test(token.text))
  for (const text of hardTexts) t.ok(plain(tokenize(text)))
  assertProperty(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), text => plain(tokenize(text))))
  const pieces = fc.constantFrom(
    '1',
    '12',
    ',',
    '.',
    '-',
    '/',
    ':',
    '$',
    '%',
    ' ',
    'a',
    'II',
    'st',
    'Dr.',
    '@',
    "'",
    'é'
  )
  assertProperty(
    fc.property(fc.array(pieces, { maxLength: 40 }), all => plain(tokenize(all.join('')))),
    { numRuns: 500 }
  )
})
