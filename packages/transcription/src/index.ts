export { recordingForm } from './recording-form.ts'
export { RecordingsInMemory } from './recordings-in-memory.ts'
export { speechRoutes, TranscriptionEndpoint, type TranscriptionEndpointComponents } from './transcription-endpoint.ts'
