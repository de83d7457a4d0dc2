export { callAsync } from './native-call.ts'
