import { sizeOf } from '@joyul/compute';
import type { Session, Variable } from '@joyul/compute';
import type { NamedTensor } from '@joyul/models';

/** Sets all variables at once; what no file holds, the optimizer's moments and new heads, starts at zero. */
export async function writeAll(
  session: Session,
  variables: readonly Variable[],
  tensors: Iterable<NamedTensor>,
): Promise<void> {
  const values: Record<string, Float32Array> = {};
  for (const { name, data } of tensors) values[name] = data;
  for (const { name, shape } of variables) values[name] ??= new Float32Array(sizeOf(shape));
  await session.write(values);
}
