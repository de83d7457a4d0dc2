/** A node's one long control stream to each coordinator: hello, heartbeats, assignments. */
export const MEMBERSHIP_PROTOCOL = '/resultity/membership/1.0.0'

/** Activations and tokens, from one hop of a route to the next, and the coordinator's control of a session. */
export const STAGE_PROTOCOL = '/resultity/stage/1.0.0'

/** A whole job on one node, its events streamed back. */
export const JOB_PROTOCOL = '/resultity/job/1.0.0'

/** Content-addressed bytes from a peer, resumable. */
export const BLOB_PROTOCOL = '/resultity/blob/1.0.0'

/** Stands in the first message of every stream; a peer that says another is refused with `protocol_version`. */
export const PROTOCOL_VERSION = 1

/** Control messages hold at most an advert (32 KiB) or the sources of a placement. */
export const MEMBERSHIP_FRAME_BYTES_MAX = 256 * 1024

/** A prefill chunk of 512 positions of the widest hidden state served (8192 f32) is 16 MiB; the head around it is small. */
export const STAGE_FRAME_BYTES_MAX = 16 * 1024 * 1024 + 1024

/** Largest first frame of a peer that is not a member: a request or a greeting, never a payload. */
export const FIRST_FRAME_BYTES_MAX = 64 * 1024

/** Time for a peer that is not a member to send its first frame. */
export const FIRST_FRAME_MS = 5000

/** Largest message of a node to its coordinator: an advert and its header. */
export const NODE_MESSAGE_BYTES_MAX = 64 * 1024

/** Largest report of a stage to its coordinator: scores of some prompt tokens with alternatives, or a fault. */
export const STAGE_REPORT_BYTES_MAX = 256 * 1024

/** The largest job body that a coordinator accepts, and the head around it. */
export const JOB_FRAME_BYTES_MAX = 16 * 1024 * 1024 + 64 * 1024

/** Bytes of one blob chunk: long enough to keep a link busy, short enough to let other streams in between. */
export const BLOB_CHUNK_BYTES = 256 * 1024

/** One chunk and the head around it. */
export const BLOB_FRAME_BYTES_MAX = BLOB_CHUNK_BYTES + 4096

/** Weight files of which a message of a membership says what they hold. At some 70 bytes each they fit a node's message. */
export const CONTENTS_MAX = 800
