import { assertProperty } from '@resultity/test-property'
import fc from 'fast-check'
import t from 'tap'
import { PhonemeThread, PronouncingDictionary, phonemize, SENTENCE_PHONEMES_MAX, toPhonemeIds } from '../src/index.ts'

const dictionary = await PronouncingDictionary.open()

/** What espeak-ng 1.52 says of sentences, as facts. Where it writes words in one, the space is set here. */
const espeak: Readonly<Record<string, string>> = {
  'The quick brown fox jumps over the lazy dog.': 'ðə kwˈɪk bɹˈaʊn fˈɑːks dʒˈʌmps ˌoʊvɚ ðə lˈeɪzi dˈɑːɡ.',
  'Glue the sheet to the dark blue background.': 'ɡlˈuː ðə ʃˈiːt tə ðə dˈɑːɹk blˈuː bˈækɡɹaʊnd.',
  'It is easy to tell the depth of a well.': 'ɪt ɪz ˈiːzi tə tˈɛl ðə dˈɛpθ əv ɐ wˈɛl.',
  'These days a chicken leg is a rare dish.': 'ðiːz dˈeɪz ɐ tʃˈɪkɪn lˈɛɡ ɪz ɐ ɹˈɛɹ dˈɪʃ.',
  'The juice of lemons makes fine punch.': 'ðə dʒˈuːs ʌv lˈɛmənz mˌeɪks fˈaɪn pˈʌntʃ.',
  'Hello, world! How are you today?': 'həlˈoʊ, wˈɜːld!|hˌaʊ ɑːɹ juː tədˈeɪ?',
  'I can read the letter better than a hundred others.': 'aɪ kæn ɹˈiːd ðə lˈɛɾɚ bˈɛɾɚ ðˌæn ə hˈʌndɹɪd ˈʌðɚz.',
  'A man was going to the office of the president.': 'ɐ mˈæn wʌz ɡˌoʊɪŋ tə ðɪ ˈɑːfɪs ʌv ðə pɹˈɛzɪdənt.'
}

t.test('phonemes are those that the voices were trained with, nearly', async t => {
  let wrong = 0
  let all = 0
  for (const [text, phonemes] of Object.entries(espeak)) {
    const own = phonemize(text, dictionary).sentences.join('|')
    const edits = distance(own, phonemes)
    t.comment(`${edits} edits: ${own}`)
    wrong += edits
    all += phonemes.length
  }
  t.ok(wrong / all < 0.06, `${wrong} edits of ${all} characters`)
})

t.test("sounds are written in misaki's letters, of either accent", async t => {
  const say = (text: string, alphabet: 'misaki-us' | 'misaki-gb') =>
    phonemize(text, dictionary, { alphabet }).sentences.join('|')
  const text = 'The lazy boy joined our church. How are you, little bird? My letter is near the door.'
  t.equal(say(text, 'misaki-us'), 'ðə lˈAzi bˈY ʤˈYnd ˌWəɹ ʧˈɜɹʧ.|hˌW ɑɹ ju, lˈɪTᵊl bˈɜɹd?|mI lˈɛTəɹ ɪz nˈɪɹ ðə dˈɔɹ.')
  t.equal(say(text, 'misaki-gb'), 'ðə lˈAzi bˈY ʤˈYnd ˌWə ʧˈɜːʧ.|hˌW ɑː juː, lˈɪtᵊl bˈɜːd?|mI lˈɛtə ɪz nˈɪə ðə dˈɔː.')
  t.match(say('Hello, the button and the worry', 'misaki-us'), /^həlˈO, .*bˈʌtᵊn .*wˈɜɹi\.$/)
  t.match(say('Hello, fairy story', 'misaki-gb'), /^həlˈQ, fˈɛɹi stˈɔːɹi\.$/)
  const known = new Set(';:,.!? AIOQTWYabdefhijklmnpstuvwzæðŋɑɔəɛɜɡɪɹʃʊʌʒʤʧθᵊᵻˈˌː')
  for (const sentence of Object.keys(espeak)) {
    for (const alphabet of ['misaki-us', 'misaki-gb'] as const) {
      const lost = Array.from(say(sentence, alphabet)).filter(one => one !== '|' && !known.has(one))
      t.strictSame(lost, [], sentence)
    }
  }
  const long = phonemize('letter '.repeat(100), dictionary, { alphabet: 'misaki-us', phonemesMax: 50 })
  t.ok(
    long.sentences.every(({ length }) => length <= 50),
    'longer letters are cut as they are written'
  )
})

t.test('words depend on their neighbours', async t => {
  const say = (text: string): string => phonemize(text, dictionary).sentences.join('|')
  t.equal(say('the apple, the pear'), 'ðɪ ˈæpəl, ðə pˈɛɹ.')
  t.match(say('I live here. The live show.'), /lˈɪv .*lˈaɪv/)
  t.match(say('Record the record'), /ɹˈɛkɚd ðə ɹˈɛkɚd/)
  t.match(say('to record it'), /ɹᵻkˈɔːɹd/)
  t.match(say('What is it for?'), /fˈɔːɹ\?$/)
  t.match(say('button, party, twenty'), /bˈʌʔn̩, pˈɑːɹɾi, twˈɛnti/)
})

t.test('words that no dictionary has are made of others, or read by rules', async t => {
  const say = (text: string): string => phonemize(text, dictionary).sentences.join('|').replace(/\.$/, '')
  t.equal(say("Resultity's"), 'ɹᵻsˈʌltəɾiːz')
  t.equal(say('laptop'), 'lˈæptˌɑːp')
  t.equal(say('preheated'), 'pɹiːhˈiːɾəd')
  t.equal(say('blorfed'), 'blˈɔːɹft')
  t.equal(say('grackle'), 'ɡɹˈækəl')
  t.equal(say('XQZ, tsp'), 'ˌɛkskjˌuːzˈiː, tˌiːˌɛspˈiː')
})

t.test('a thread reads the same', async t => {
  await using thread = new PhonemeThread()
  const text = 'Hello there. It costs $5, 你好.'
  t.strictSame(await thread.phonemize(text), phonemize(text, dictionary))
  const short = await thread.phonemize('many words of one sentence '.repeat(9), { phonemesMax: 75 })
  t.ok(short.sentences.every(sentence => sentence.length <= 76))
})

t.test('a text of no words has no sentences', async t => {
  t.strictSame(phonemize('... 你好 — !', dictionary), { sentences: [], unspoken: ['你', '好'] })
  t.strictSame(phonemize('', dictionary), { sentences: [], unspoken: [] })
})

t.test('a long sentence is cut at a comma, and any is bounded', async t => {
  const { sentences } = phonemize(`${'many words, of which '.repeat(40)}end`, dictionary)
  t.ok(sentences.length > 2)
  for (const sentence of sentences) {
    t.ok(Array.from(sentence).length <= SENTENCE_PHONEMES_MAX + 1)
    t.match(sentence, /[.?!]$/)
  }
  for (const text of ['a'.repeat(4096), 'W'.repeat(4096), '9'.repeat(4096), '$1 '.repeat(1365)]) {
    for (const sentence of phonemize(text, dictionary).sentences) {
      t.ok(Array.from(sentence).length <= SENTENCE_PHONEMES_MAX + 1, text.slice(0, 3))
    }
  }
})

t.test('any text gives characters that a voice knows, or none', async () => {
  assertProperty(
    fc.property(fc.string({ unit: 'binary', maxLength: 100 }), text =>
      phonemize(text, dictionary).sentences.every(sentence =>
        /^(?:[a-zæðŋɐɑɔəɚɛɜɡɪɹɾʃʊʌʒʔθᵻˈˌː .,;:?!]|\u0329)+$/u.test(sentence)
      )
    ),
    { numRuns: 300 }
  )
})

t.test('words that are names of every object in JavaScript are words', async t => {
  const say = (text: string): string => phonemize(text, dictionary).sentences.join('|')
  t.equal(say('Call the constructor.'), 'kˈɔːl ðə kənstɹˈʌktɚ.')
  t.match(say('Constructor. Next, the constructor. 5'), /^kənstɹˈʌktɚ\.\|nˈɛkst, ðə kənstɹˈʌktɚ\.\|/)
  t.match(say('https://mesh.org/toString'), /slˈæʃ tˈɑːstɹɪŋ\.$/)
})

t.test('ids have padding between, a beginning and an end', async t => {
  const ids = { _: [0], '^': [1], $: [2], a: [14], '.': [10], ː: [122] }
  t.strictSame(toPhonemeIds('aːx.', ids), [1, 0, 14, 0, 122, 0, 10, 0, 2])
  t.strictSame(toPhonemeIds('constructor', ids), [1, 0, 2])
})

t.test('every word of the dictionary is found by it', async t => {
  for (const word of ['a', "'bout", 'zywicki', 'stilted', 'stilton', 'sepultura', 'hello', "world's", 'gdp']) {
    t.ok(dictionary.lookup(word), word)
  }
  t.strictSame(dictionary.lookup('aalto'), ['AA1', 'L', 'T', 'OW2'])
  t.strictSame(dictionary.lookup('read'), ['R', 'EH1', 'D'])
  for (const word of ['', '(', 'zzzzz', '\n', '"', 'a(2)', 'xqzt']) t.equal(dictionary.lookup(word), undefined)
})

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, replaced))
    }
    row = next
  }
  return row[b.length] ?? 0
}
