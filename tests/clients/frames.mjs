// What a server sends, frame by frame, beside the library that reads it too: libraries tell messages, and neither lengths
// nor RSV1. It checks nothing.

/** Gives a function that is fed the bytes, and appends `{ opcode, fin, rsv1, length }` to `frames` for each header. */
export function watch(frames) {
  let [head, payload] = [Buffer.alloc(0), 0];
  return (bytes) => {
    let rest = bytes;
    while (rest.length > 0) {
      const skipped = Math.min(payload, rest.length);
      payload -= skipped;
      rest = rest.subarray(skipped);
      if (payload > 0) return;
      // Headers are short, so this copies little; a payload is never kept.
      const taken = Math.min(10 - head.length, rest.length);
      const joined = Buffer.concat([head, rest.subarray(0, taken)]);
      const size = joined.length < 2 ? 2 : 2 + ({ 126: 2, 127: 8 }[joined[1] & 127] ?? 0);
      if (joined.length < size) {
        head = joined;
        return;
      }
      const short = joined[1] & 127;
      payload = { 126: () => joined.readUInt16BE(2), 127: () => Number(joined.readBigUInt64BE(2)) }[short]?.() ?? short;
      frames.push({ opcode: joined[0] & 15, fin: joined[0] > 127, rsv1: (joined[0] & 64) > 0, length: payload });
      rest = rest.subarray(size - head.length);
      head = Buffer.alloc(0);
    }
  };
}
