// `npm run systems:speech`: sets the checkout up, then prints how each system that hears or speaks compares with its reference.
import { become } from './setup.mjs'

await become('test/dist/print-speech.js', ['--enable-source-maps'])
