import type { Graph, GraphStep } from './graph.ts';

/** Each edge once, with the ports that it carries. */
function* edgesOf(graph: Graph): Generator<{
  readonly from: number;
  readonly to: number;
  readonly label: string;
}> {
  const numbers = new Map(graph.steps.map((step, number) => [step.id, number]));
  for (const [to, step] of graph.steps.entries()) {
    for (const need of step.needs) {
      const ports = Object.values(step.inputs)
        .flat()
        .filter((reference) => reference.step === need)
        .map((reference) => reference.port);
      yield { from: numbers.get(need) ?? 0, to, label: [...new Set(ports)].join(', ') };
    }
  }
}

/** Mermaid reads entities, of HTML and its own (`#35;`); a quote would end the label, and a backtick begins Markdown. */
const escapeMermaid = (text: string): string =>
  text
    .replaceAll('#', '#35;')
    .replaceAll('`', '#96;')
    .replaceAll('&', '&amp;')
    .replaceAll('"', '&quot;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');

const describe = (step: GraphStep): string => `uses ${step.plugin.name}`;

/** A graph as a Mermaid flowchart; steps that are left out are dashed. */
export function formatMermaid(graph: Graph): string {
  const lines = ['flowchart TD'];
  for (const [number, step] of graph.steps.entries())
    lines.push(
      `  s${number}["${escapeMermaid(step.id)}<br/><small>${escapeMermaid(describe(step))}</small>"]`,
    );
  for (const { from, to, label } of edgesOf(graph))
    lines.push(`  s${from} -->|"${escapeMermaid(label)}"| s${to}`);
  const left = [...graph.steps.entries()]
    .filter(([, step]) => !step.isEnabled)
    .map(([number]) => `s${number}`);
  if (left.length > 0)
    lines.push('  classDef left-out stroke-dasharray: 4 4,opacity:0.5', `  class ${left.join(',')} left-out`);
  return `${lines.join('\n')}\n`;
}

const quoteDot = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

/** A graph in the language of Graphviz; steps that are left out are dashed. */
export function formatDot(graph: Graph): string {
  const lines = [`digraph ${quoteDot(graph.name)} {`, '  node [shape=box];'];
  for (const step of graph.steps) {
    const style = step.isEnabled ? '' : ', style=dashed';
    lines.push(`  ${quoteDot(step.id)} [tooltip=${quoteDot(describe(step))}${style}];`);
  }
  for (const { from, to, label } of edgesOf(graph)) {
    const ends = [from, to].map((number) => quoteDot(graph.steps[number]?.id ?? ''));
    lines.push(`  ${ends.join(' -> ')} [label=${quoteDot(label)}];`);
  }
  return `${[...lines, '}'].join('\n')}\n`;
}
