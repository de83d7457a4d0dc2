/**
 * Steps of work for reading one constraint, with all of its schemas and patterns: some 0.5 s of one core. The largest
 * schemas in use take a tenth of it.
 */
export const COMPILE_STEPS_MAX = 2_000_000
/**
 * Steps of work for what may follow one token of an answer: all ways of a vocabulary from one state. With 79,000 tokens
 * honest schemas take 50,000 at the most.
 */
export const TOKEN_STEPS_MAX = 500_000
/** Steps of work that an answer may be ahead of {@link ANSWER_STEPS_PER_TOKEN}. */
export const ANSWER_STEPS_MAX = 4_000_000
export const ANSWER_STEPS_PER_TOKEN = 20_000
/** Bytes of the expressions that a constraint is compiled to. */
export const COMPILED_BYTES_MAX = 16 * 1024 * 1024
/** Bytes of states that texts have led to, after which they are forgotten: what is needed again is made anew. */
export const STATES_BYTES_MAX = 8 * 1024 * 1024
/** Containers within containers in the text of a schema, annotations and constants included. */
export const JSON_DEPTH_MAX = 128
/** References and groups that may stand at one place of a text before its first byte is read. */
export const LEADING_DEPTH_MAX = 400
/** Characters of a pattern, with everything that is counted written out: `(ab{2}){3}` has 9. */
export const PATTERN_POSITIONS_MAX = 65_536
/** Of a place in a schema, as an error names it. */
export const PLACE_CHARACTERS_MAX = 512
/** States that are looked at to find out whether a text is left of what must hold at once. */
export const MEET_STATES_MAX = 4096
/** Calls in one answer. */
export const TOOL_CALLS_MAX = 64
/** Ways in which the alternatives of one place can be combined. */
export const COMBINATIONS_MAX = 64
/** Schemas that hold at one place together: references and `allOf` followed. */
export const CONJUNCTS_MAX = 256
/** Values of an array without equal items, all orders of which are followed; of more they come in the order listed. */
export const PERMUTED_VALUES_MAX = 6
/** Name patterns of one object that are told apart. */
export const NAME_PATTERNS_MAX = 4
/** Places times counts, where it is counted how many items or members of a kind there are. */
export const COUNTED_MAX = 4096
/** Places that are named as relaxed. */
export const RELAXED_MAX = 64
