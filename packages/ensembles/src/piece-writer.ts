import { MeshError } from '@resultity/interface'
import { BEGUN, type Begun, type JobLog } from '@resultity/jobs'
import type { JsonValue } from '@resultity/store'
import type { AnswerDialect, Choice } from './answer-dialect.ts'
import { type NamedChoice, PIECE } from './ensemble-answer.ts'
import type { Member, MemberWatcher } from './member-jobs.ts'

/**
 * Writes one member's answer into the ensemble's log as it comes, from the first piece on that shows something: until
 * then the member can fail without the client's noticing.
 */
export class PieceWriter implements MemberWatcher {
  readonly #member: Member
  readonly #dialect: AnswerDialect
  readonly #log: JobLog
  readonly #index: number
  readonly #shown = Promise.withResolvers<void>()
  #headers: Begun['headers'] = {}
  #held: Choice[] = []
  #state: 'holding' | 'showing' | 'closed' = 'holding'
  #failure: MeshError | undefined

  /** @param index of the choice that it makes in the ensemble's answer */
  constructor(member: Member, dialect: AnswerDialect, log: JobLog, index: number) {
    this.#member = member
    this.#dialect = dialect
    this.#log = log
    this.#index = index
  }

  /** Resolves when the client can see something of it. */
  get begun(): Promise<void> {
    return this.#shown.promise
  }

  get showing(): boolean {
    return this.#state === 'showing'
  }

  async onBegun(headers: Begun['headers']): Promise<void> {
    this.#headers = headers
  }

  /** @throws MeshError when the member declines; what the log throws */
  async onPiece(piece: Choice): Promise<void> {
    if (this.#state === 'closed') return
    if (this.#state === 'showing') return await this.#write([piece])
    if (this.#dialect.declines(piece)) throw declined(this.#member.model)
    this.#held.push(piece)
    if (!this.#dialect.shows(piece)) return
    this.#state = 'showing'
    this.#shown.resolve()
    await this.#log.note(BEGUN, { headers: this.#headers })
    await this.#write(this.#held)
    this.#held = []
  }

  /** Takes no more pieces. @throws MeshError what the log threw */
  close(): void {
    this.#state = 'closed'
    if (this.#failure !== undefined) throw this.#failure
  }

  async #write(pieces: readonly Choice[]): Promise<void> {
    try {
      await writePieces(this.#log, this.#member.model, this.#index, pieces)
    } catch (error) {
      this.#failure = MeshError.from(error)
      throw error
    }
  }
}

export async function writePieces(log: JobLog, model: string, index: number, pieces: readonly Choice[]): Promise<void> {
  for (const piece of pieces) {
    const named: NamedChoice = { ...piece, index, model }
    await log.add(PIECE, named as JsonValue)
  }
}

/** The model's own way to give no answer. */
export function declined(model: string): MeshError {
  return new MeshError('invalid_request', `${model} declined to answer`, { details: { reason: 'content_filter' } })
}
