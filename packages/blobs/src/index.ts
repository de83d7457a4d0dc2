export { FileBlobStore, type FileBlobStoreInit, type IngestingBlobStore } from './blob-store.ts'
export { FileHasher } from './file-hash.ts'
