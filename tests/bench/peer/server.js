// What one would write by hand with Fastify and mqtt.js: checks the signature, publishes with QoS 1, answers after the
// broker's acknowledgement. It stores nothing: what it has not published when it dies, or while the broker is away, is lost.
//
//   PORT=8080 BROKER=mqtt://127.0.0.1:1883 SECRET=… node server.js
import { createHmac, timingSafeEqual } from 'node:crypto'
import Fastify from 'fastify'
import mqtt from 'mqtt'

const { PORT, BROKER, SECRET } = process.env

const client = await mqtt.connectAsync(BROKER, { protocolVersion: 5 })
const server = Fastify({ logger: false })

server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))

function isAuthentic(header, body) {
  const given = Buffer.from(header ?? '', 'hex')
  const right = createHmac('sha256', SECRET).update(body).digest()
  return given.length === right.length && timingSafeEqual(given, right)
}

function topicOf(event) {
  const level = (value) => encodeURIComponent(value).replace(/^\$/, '%24') || '_'
  return `partners/${level(event.resource_type)}/${level(event.event)}/${level(event.resource_gid)}`
}

server.post('/webhooks/partners', async (request, reply) => {
  if (!isAuthentic(request.headers['x-partners-signature'], request.body)) {
    return reply.code(401).send({ error: 'unauthorized' })
  }
  const event = JSON.parse(request.body)
  await client.publishAsync(topicOf(event), request.body, {
    qos: 1,
    properties: { contentType: 'application/json', userProperties: { event: event.event } },
  })
  return { status: 'accepted' }
})

await server.listen({ port: Number(PORT), host: '127.0.0.1' })

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, async () => {
    await server.close()
    await client.endAsync()
  })
}
