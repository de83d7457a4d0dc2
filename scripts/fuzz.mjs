// `npm run fuzz -- TARGET --seed N --minutes M`: sets the checkout up, then fuzzes. Arguments go to run-fuzz.mjs.
import { become } from './setup.mjs'

await become('scripts/run-fuzz.mjs')
