/** Below a coordinator's data directory: complete blobs, which nodes on the same machine may read in place. */
export const BLOB_DIRECTORY = 'blobs'
