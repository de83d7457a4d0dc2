interface Heteronym {
  readonly noun: readonly string[]
  readonly verb: readonly string[]
}

/** Words that are said in one way as nouns or adjectives, and in another as verbs. */
const heteronyms: ReadonlyMap<string, Heteronym> = new Map(
  `abuse | AH0 B Y UW1 S | AH0 B Y UW1 Z
close | K L OW1 S | K L OW1 Z
conduct | K AA1 N D AH0 K T | K AH0 N D AH1 K T
conflict | K AA1 N F L IH0 K T | K AH0 N F L IH1 K T
content | K AA1 N T EH0 N T | K AH0 N T EH1 N T
contract | K AA1 N T R AE2 K T | K AH0 N T R AE1 K T
contrast | K AA1 N T R AE2 S T | K AH0 N T R AE1 S T
decrease | D IY1 K R IY2 S | D IH0 K R IY1 S
desert | D EH1 Z ER0 T | D IH0 Z ER1 T
duplicate | D UW1 P L AH0 K AH0 T | D UW1 P L AH0 K EY2 T
estimate | EH1 S T AH0 M AH0 T | EH1 S T AH0 M EY2 T
excuse | IH0 K S K Y UW1 S | IH0 K S K Y UW1 Z
export | EH1 K S P AO0 R T | IH0 K S P AO1 R T
graduate | G R AE1 JH AH0 W AH0 T | G R AE1 JH AH0 W EY2 T
house | HH AW1 S | HH AW1 Z
import | IH1 M P AO2 R T | IH0 M P AO1 R T
increase | IH1 N K R IY2 S | IH0 N K R IY1 S
insult | IH1 N S AH2 L T | IH0 N S AH1 L T
lead | L IY1 D | L IY1 D
live | L AY1 V | L IH1 V
lives | L AY1 V Z | L IH1 V Z
minute | M IH1 N AH0 T | M IH1 N AH0 T
object | AA1 B JH EH0 K T | AH0 B JH EH1 K T
permit | P ER1 M IH2 T | P ER0 M IH1 T
present | P R EH1 Z AH0 N T | P R IH0 Z EH1 N T
produce | P R OW1 D UW0 S | P R AH0 D UW1 S
progress | P R AA1 G R EH2 S | P R AH0 G R EH1 S
project | P R AA1 JH EH2 K T | P R AH0 JH EH1 K T
protest | P R OW1 T EH2 S T | P R AH0 T EH1 S T
read | R IY1 D | R IY1 D
rebel | R EH1 B AH0 L | R IH0 B EH1 L
record | R EH1 K ER0 D | R IH0 K AO1 R D
records | R EH1 K ER0 D Z | R IH0 K AO1 R D Z
refuse | R EH1 F Y UW2 Z | R IH0 F Y UW1 Z
reject | R IY1 JH EH0 K T | R IH0 JH EH1 K T
separate | S EH1 P ER0 AH0 T | S EH1 P ER0 EY2 T
subject | S AH1 B JH IH0 K T | S AH0 B JH EH1 K T
suspect | S AH1 S P EH2 K T | S AH0 S P EH1 K T
tear | T IH1 R | T EH1 R
transfer | T R AE1 N S F ER0 | T R AE0 N S F ER1
use | Y UW1 S | Y UW1 Z
wind | W IH1 N D | W AY1 N D`
    .split('\n')
    .map(line => {
      const [word = '', noun = '', verb = ''] = line.split(' | ')
      return [word, { noun: noun.split(' '), verb: verb.split(' ') }] as const
    })
)

const BEFORE_VERBS =
  /^(?:to|will|can|could|should|would|may|might|must|shall|i|you|we|they|who|do|does|did|don't|doesn't|didn't|can't|won't|couldn't|wouldn't|shouldn't|not|please|let's|i'll|we'll|you'll|they'll|he'll|she'll|people)$/

/** Rather verbs than nouns where nothing is said. */
const VERBS = /^(?:live|lives|use|close|refuse|produce|permit)$/

/**
 * How a word with two readings is said behind another.
 *
 * @param word in small letters
 * @param before the word before it in the sentence, in small letters; undefined at the beginning
 * @returns ARPAbet, undefined for a word with one reading
 */
export function heteronym(word: string, before: string | undefined): readonly string[] | undefined {
  const both = heteronyms.get(word)
  if (both === undefined) return undefined
  if (before !== undefined && BEFORE_VERBS.test(before)) return both.verb
  const said =
    /^(?:a|an|the|this|that|my|your|his|her|its|our|their|of|in|on|no|new|old|each|every|some|more|for|with)$/
  if (before !== undefined && said.test(before)) return both.noun
  return VERBS.test(word) ? both.verb : both.noun
}
