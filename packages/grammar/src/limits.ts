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
