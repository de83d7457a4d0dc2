import { serveTasks } from '@resultity/interface'
import { resizeBicubic } from './bicubic.ts'
import type { BicubicTask } from './bicubic-thread.ts'

serveTasks(({ picture, width, height }: BicubicTask) => ({ result: resizeBicubic(picture, { width, height }) }))
