/**
 * The peers that this node has to do with: coordinators that it follows, and the members that they name. All others are
 * strangers: they get no blobs, and little of everything else.
 */
export class KnownPeers {
  /** Members by coordinator. */
  readonly #members = new Map<string, ReadonlySet<string>>()

  /** The node follows this coordinator. */
  follow(coordinator: string): void {
    if (!this.#members.has(coordinator)) this.#members.set(coordinator, new Set())
  }

  /** Sets the members that a coordinator reports; replaces its earlier report. */
  setMembers(coordinator: string, members: readonly string[]): void {
    this.#members.set(coordinator, new Set(members))
  }

  has(peerId: string): boolean {
    if (this.#members.has(peerId)) return true
    for (const members of this.#members.values()) if (members.has(peerId)) return true
    return false
  }
}
