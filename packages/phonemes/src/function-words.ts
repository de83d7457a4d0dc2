/** Words that carry no stress in a sentence, as IPA: how they are said in its flow. */
const weak: ReadonlyMap<string, string> = new Map(
  `the ðə|a ɐ|an ɐn|to tə|of ʌv|and ænd|in ɪn|is ɪz|it ɪt|i aɪ|you juː|he hiː|she ʃiː|we wiː|they ðeɪ|was wʌz|were wɜː|are ɑːɹ
am æm|be biː|been bɪn|for fɔːɹ|with wɪð|on ɔn|at æt|as æz|by baɪ|from fɹʌm|or ɔːɹ|nor nɔːɹ|this ðɪs|have hæv|has hɐz|had hæd
his hɪz|her hɜː|him hˌɪm|my maɪ|your jʊɹ|our ˌaʊɚ|their ðɛɹ|its ɪts|but bˌʌt|if ɪf|can kæn|will wɪl|would wʊd|could kʊd
should ʃˌʊd|us ˌʌs|them ðˌɛm|me mˌiː|so sˌoʊ|than ðɐn|into ˌɪntʊ|over ˌoʊvɚ|some sˌʌm|up ˌʌp|about ɐbˌaʊt|i'm aɪm|i'll aɪl
i've aɪv|i'd aɪd|it's ɪts|that's ðæts|he's hiːz|she's ʃiːz|we're wɪɹ|you're jʊɹ|they're ðɛɹ|we've wiːv|you've juːv|they've ðeɪv
we'll wiːl|you'll juːl|they'll ðeɪl|what wˌʌt|when wˌɛn|where wˌɛɹ|which wˌɪtʃ|who hˌuː|how hˌaʊ|while wˌaɪl`
    .split(/[|\n]/)
    .map(entry => {
      const [word = '', ipa = ''] = entry.split(' ')
      return [word, ipa] as const
    })
)

/** Of these the vowel is another before a vowel. */
const beforeVowels: ReadonlyMap<string, string> = new Map([
  ['the', 'ðɪ'],
  ['to', 'tʊ']
])

/** IPA letters of vowels. */
const VOWEL_SOUND = /^[ˈˌ]?[aɐæɑeəɚɛɜiɪᵻoɔuʊʌ]/

/**
 * The weak form of a word within a sentence; at the end of one it is said in full.
 *
 * @param word in small letters
 * @param next IPA of the word behind it, undefined at the end of a phrase
 */
export function weakForm(word: string, next: string | undefined): string | undefined {
  if (next === undefined && /^(?:to|of|for|from|at|with|on|in|by|up|a|the)$/.test(word)) return undefined
  if (next !== undefined && VOWEL_SOUND.test(next)) return beforeVowels.get(word) ?? weak.get(word)
  return weak.get(word)
}
