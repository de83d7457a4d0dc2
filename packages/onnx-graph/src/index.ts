export * from './graph-writer.ts'
export { ElementType } from './onnx-schema.ts'
export * from './pre-norm-layer.ts'
export * from './projection.ts'
