// Node 20 lacks fs.globSync, which the conformance program imports for a command that these tests do not use.
import { register } from 'node:module';

const hooks = `
const source = 'export * from "node:fs"; export function globSync() { throw new Error("not in this version of Node"); }';
export async function resolve(specifier, context, next) {
  if (specifier === 'fs' && context.parentURL?.includes('/@modelcontextprotocol/conformance/'))
    return { url: 'data:text/javascript,' + encodeURIComponent(source), shortCircuit: true };
  return next(specifier, context);
}`;
register('data:text/javascript,' + encodeURIComponent(hooks));
