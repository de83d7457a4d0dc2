import t from 'tap'
import { engineCompliance } from './compliance.ts'

engineCompliance(t, 'node')
