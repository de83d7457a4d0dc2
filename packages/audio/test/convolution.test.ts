import t from 'tap'
import { Convolution } from '../src/voice/convolution.ts'
import { addProduct, addTwoProducts, matrixOf } from '../src/voice/matrix.ts'

/** Small numbers, the same in every run; their products and sums are exact. */
const numbers = (length: number): Float32Array => Float32Array.from({ length }, (_, at) => ((at * 37) % 23) - 11)

t.test('products are those of the rows with the vectors', async t => {
  const [rows, columns, apart] = [12, 7, 3]
  const weight = numbers(rows * columns)
  const matrix = matrixOf(rows, columns, (row, column) => weight[row * columns + column] ?? 0)
  const vectors = numbers(40)
  const productAt = (from: number) =>
    Array.from({ length: rows }, (_, row) =>
      weight
        .subarray(row * columns, (row + 1) * columns)
        .reduce((sum, value, column) => sum + value * (vectors[from + column] ?? 0), row)
    )
  const added = Float32Array.from({ length: 2 * rows }, (_, at) => at % rows)
  const one = new Float32Array([9, ...added.subarray(0, rows), 9])
  addProduct(matrix, vectors, 5, one, 1)
  t.strictSame([...one], [9, ...productAt(5), 9], 'added to what was there, and nothing beside it')
  const two = new Float32Array([9, ...added, 9])
  addTwoProducts(matrix, vectors, { from: 5, apart }, two, 1)
  t.strictSame([...two], [9, ...productAt(5), ...productAt(5 + apart), 9])
  t.throws(() => matrixOf(6, 2, () => 0), RangeError)
})

t.test('convolutions of every number of steps are those of their definition', async t => {
  const [outputs, inputs] = [8, 5]
  const weight = numbers(outputs * inputs * 3)
  const bias = numbers(outputs)
  for (const [stepsIn, stride] of [
    [1, 1],
    [2, 2],
    [2, 1],
    [3, 1],
    [4, 2],
    [4, 1]
  ] as const) {
    const heard = new Float32Array([
      ...new Float32Array(inputs),
      ...numbers(stepsIn * inputs),
      ...new Float32Array(inputs)
    ])
    const steps = Math.ceil(stepsIn / stride)
    const expected = Array.from({ length: (steps + 2) * outputs }, (_, at) => {
      const step = Math.floor(at / outputs) - 1
      const output = at % outputs
      if (step < 0 || step >= steps) return 0
      let sum = bias[output] ?? 0
      for (let tap = 0; tap < 3; tap++) {
        for (let input = 0; input < inputs; input++) {
          sum +=
            (weight[(output * inputs + input) * 3 + tap] ?? 0) * (heard[(step * stride + tap) * inputs + input] ?? 0)
        }
      }
      return Math.max(0, sum)
    })
    const convolution = new Convolution({ weight, bias, inputs, stride, stepsIn })
    t.strictSame([...convolution.run(heard)], expected, `${stepsIn} steps by ${stride}`)
    t.strictSame([...convolution.run(heard)], expected, 'the same again')
  }
})
