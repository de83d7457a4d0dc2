import t from 'tap'
import { createEngine } from '../src/index.ts'
import { engineCompliance } from './compliance.ts'

engineCompliance(t, { name: 'capi', create: () => createEngine('capi') })
