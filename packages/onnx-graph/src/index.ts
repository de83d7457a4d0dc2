export * from './graph-writer.ts'
export { ElementType } from './onnx-schema.ts'
export * from './projection.ts'
export * from './transformer-layer.ts'
