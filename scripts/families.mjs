// `npm run families`: sets the checkout up, then prints how each family compares with its reference.
import { become } from './setup.mjs'

await become('packages/engine/dist/test/print-parity.js', ['--enable-source-maps'])
