// `npm run simulate -- --seed N`: sets the checkout up, then simulates. Arguments go to scripts/simulate.
import { become } from './setup.mjs'

await become('scripts/dist/simulate/main.js', ['--enable-source-maps'])
