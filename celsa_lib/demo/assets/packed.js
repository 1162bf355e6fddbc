// Arrays and rows as the page holds them, `celsa_lib.demo.pack` in reverse.

const TYPES = { float32: Float32Array, uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array };
const FIXED = 1; // how indices are written, `celsa_lib.kernels.packed`
const RICE = 2;

/** The numbers of a packed array: base64 of little-endian bytes, the order of every browser. */
function unpack({ type, data }) {
  const text = atob(data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new TYPES[type](bytes.buffer);
}

/** Rows as CSR; packed rows that have no columns have all of them. */
function rowsOf(packed) {
  if (packed.words) return rowsOfWords(packed);
  const { rows, width, values, columns, starts } = packed;
  const found = { rows, width, values: unpack(values) };
  if (columns) return { ...found, columns: unpack(columns), starts: unpack(starts) };
  found.columns = new Uint32Array(rows * width);
  for (let k = 0; k < rows * width; k++) found.columns[k] = k % width;
  found.starts = Uint32Array.from({ length: rows + 1 }, (_, row) => row * width);
  return found;
}

/** Bits of `bytes`, the lowest of each byte first: `read(n)` gives the next n as a number. */
function bitsOf(bytes) {
  let at = 0;
  return (n) => {
    let value = 0;
    for (let k = 0; k < n; k++, at++) value += ((bytes[at >> 3] >> (at & 7)) & 1) * 2 ** k;
    return value;
  };
}

/** CSR of the words of a packed file, with input scales where there are any. */
function rowsOfWords(packed) {
  const { rows, width, headBits, shortest, bits, middle, coding, indexBits, remainders } = packed;
  const [scales, owns, inputs] = [packed.scales, packed.owns, packed.inputs].map(unpack);
  const read = bitsOf(unpack(packed.words));
  const starts = new Uint32Array(rows + 1);
  const [values, columns] = [[], []];
  const inputScales = inputs.length ? new Float32Array(rows) : null;
  for (let row = 0; row < rows; row++) {
    const [extra, scale, own, input] = headBits.map(read);
    const length = shortest + extra;
    for (let k = 0; k < length; k++) values.push((read(bits) - middle + 0.5) * scales[scale]);
    let column = -1;
    for (let k = 0; k < length; k++) {
      if (coding === FIXED) column = read(indexBits);
      else if (coding === RICE) column += 1 + gap(read, remainders[length]);
      else column += 1;
      columns.push(column);
    }
    if (owns.length) {
      values.push(owns[own]);
      columns.push(row);
    }
    if (inputScales) inputScales[row] = inputs[input];
    starts[row + 1] = values.length;
  }
  return { rows, width, starts, inputScales, values: Float32Array.from(values), columns: Uint32Array.from(columns) };
}

/** A gap by Rice's code: a quotient in unary, ended by a zero, and a remainder in bits. */
function gap(read, remainder) {
  let quotient = 0;
  while (read(1)) quotient++;
  return quotient * 2 ** remainder + read(remainder);
}
