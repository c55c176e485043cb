import type { PluginFacts, ResolvedPlugin } from './graph.ts';

const facts = new WeakMap<ResolvedPlugin, PluginFacts>();

/** What is kept of a plugin; the steps that use it share it. */
export function factsOf(resolved: ResolvedPlugin): PluginFacts {
  const known = facts.get(resolved);
  if (known !== undefined) return known;
  const { plugin, ...found } = resolved;
  const { name, revision, inputs, runsIn, usesTensors, cacheable, continues } = plugin;
  const made: PluginFacts = {
    ...found,
    name,
    revision,
    inputs,
    ...(runsIn === undefined ? {} : { runsIn }),
    ...(usesTensors === undefined ? {} : { usesTensors }),
    ...(cacheable === undefined ? {} : { cacheable }),
    ...(continues === undefined ? {} : { continues }),
  };
  facts.set(resolved, made);
  return made;
}
