import { serveTasks } from '@resultity/interface'
import type { BicubicTask } from './bicubic-thread.ts'
import { resizeBicubic } from './resizing.ts'

serveTasks(({ picture, width, height }: BicubicTask) => ({ result: resizeBicubic(picture, { width, height }) }))
