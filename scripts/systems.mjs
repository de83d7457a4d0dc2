// `npm run systems`: sets the checkout up, then prints how each system that draws, describes, hears or speaks compares with its reference.
import { becomeEach } from './setup.mjs'

await becomeEach(['packages/engine/dist/test/print-systems.js', 'test/dist/print-speech.js'], ['--enable-source-maps'])
