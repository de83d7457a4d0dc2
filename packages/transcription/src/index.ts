export { addRecordingRoutes, removeRecordingsWithRequests } from './recording-forms.ts'
export { speechRoutes, TranscriptionEndpoint, type TranscriptionEndpointComponents } from './transcription-endpoint.ts'
