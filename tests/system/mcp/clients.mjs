// The two generations of the official client, over HTTP and over stdio, in each era of the protocol. Prints a line of
// JSON for each: what it saw. Environment: MCP_URL, TOKEN, IMAGE, SKERRY (program); NODE_MODULES is where they are.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(process.env.NODE_MODULES + '/');
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { Client: Old } = await load('@modelcontextprotocol/sdk/client/index.js');
const { StreamableHTTPClientTransport: OldHttp } = await load('@modelcontextprotocol/sdk/client/streamableHttp.js');
const { StdioClientTransport: OldStdio } = await load('@modelcontextprotocol/sdk/client/stdio.js');
const { Client: New, StreamableHTTPClientTransport: NewHttp } = await load('@modelcontextprotocol/client');
const { StdioClientTransport: NewStdio } = await load('@modelcontextprotocol/client/stdio');

const image = process.env.IMAGE;
const url = new URL(process.env.MCP_URL);
const http = { requestInit: { headers: { Authorization: `Bearer ${process.env.TOKEN}` } } };
const stdio = { command: process.env.SKERRY, args: ['mcp'], env: { ...process.env } };
const who = { name: 'skerry-test', version: '1' };
const modern = { versionNegotiation: { mode: { pin: '2026-07-28' } } };
const auto = { versionNegotiation: { mode: 'auto' } };

async function drive(name, client, transport, oldCalls) {
  const call = (params, options) => (oldCalls ? client.callTool(params, undefined, options) : client.callTool(params, options));
  const run = (args, options) => call({ name: 'run_code', arguments: { image, language: 'sh', ...args } }, options);
  await client.connect(transport);
  const tools = (await client.listTools()).tools;
  const progress = [];
  const result = await run(
    { code: 'cat; cat /in/x; echo err >&2; printf "\\377" > /tmp/b; exit 7', stdin: 'typed\n',
      files: [{ path: '/in/x', text: 'file\n' }], outputs: ['/tmp/b', '/none'] },
    { onprogress: (p) => progress.push(p.progress) });
  const refused = await call({ name: 'show_environment', arguments: { name: 'no-such' } });
  const wrong = await call({ name: 'show_environment', arguments: { title: 'x' } });
  const unknown = await call({ name: 'no_such_tool', arguments: {} }).then(() => null, (e) => e.code);
  const giveUp = new AbortController();
  const cancelled = await run({ code: 'sleep 100' }, {
    signal: giveUp.signal,
    onprogress: (p) => { if (p.message.startsWith('running')) giveUp.abort(); },
  }).then(() => 'answered', () => 'cancelled');
  const version = client.getNegotiatedProtocolVersion?.() ?? null;
  const empty = (await call({ name: 'list_plugins', arguments: {} })).structuredContent;
  console.log(JSON.stringify({ name, version, tools: tools.map((t) => t.name), result: result.structuredContent,
    text: result.content[0].text, progress, refused, wrong, unknown, cancelled, empty }));
  await client.close();
}

await drive('old http', new Old(who), new OldHttp(url, http), true);
await drive('new http handshake', new New(who), new NewHttp(url, http), false);
await drive('new http stateless', new New(who, modern), new NewHttp(url, http), false);
await drive('new http auto', new New(who, auto), new NewHttp(url, http), false);
await drive('old stdio', new Old(who), new OldStdio(stdio), true);
await drive('new stdio auto', new New(who, auto), new NewStdio(stdio), false);
