/** What an answer's text turns out to be. */
export type AnswerPiece =
  | { readonly type: 'content'; readonly text: string }
  /** Call `index` begins. */
  | { readonly type: 'call'; readonly index: number; readonly name: string }
  /** More of the arguments of call `index`, JSON text. */
  | { readonly type: 'arguments'; readonly index: number; readonly text: string }
