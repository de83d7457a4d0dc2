// `npm run bench -- split --model REF --json`: sets the checkout up, then measures. Arguments go to scripts/bench.
import { become } from './setup.mjs'

await become('scripts/dist/bench/main.js')
