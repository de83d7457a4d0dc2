export { type SpeakingComponents, SpeechEndpoint } from './speech-endpoint.ts'
export { addVoiceRoutes } from './voice-routes.ts'
