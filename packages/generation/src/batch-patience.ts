/** Waits of batch work, which gives way to other work on every stage, are that many times as long. */
export const BATCH_PATIENCE = 10
