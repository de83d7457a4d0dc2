export { openPiperVoice, type PiperVoice, piperVoiceAt, VOICE_BYTES_MAX } from './import/open-voice.ts'
export { type VoiceMemory, voiceMemory, voiceWork } from './voice-memory.ts'
