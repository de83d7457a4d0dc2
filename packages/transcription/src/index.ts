export { addRecordingRoutes, removeRecordingsWithRequests } from './recording-forms.ts'
export { RecordingsInMemory } from './recordings-in-memory.ts'
export { speechRoutes, TranscriptionEndpoint, type TranscriptionEndpointComponents } from './transcription-endpoint.ts'
