import { serveTasks } from '@resultity/interface'
import { picturePieces } from './picture-pieces.ts'
import type { PiecesTask } from './pieces-thread.ts'

serveTasks(({ picture, sizes }: PiecesTask) => ({ result: picturePieces(picture, sizes) }))
