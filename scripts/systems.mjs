// `npm run systems`: sets the checkout up, then prints how each system that draws pictures compares with its reference.
import { become } from './setup.mjs'

await become('packages/engine/dist/test/print-systems.js', ['--enable-source-maps'])
