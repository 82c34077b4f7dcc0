# A Rack application that prints what Rack made of each form, as a line of JSON; the first line has its port.

require "json"
require "rack"
require "rack/handler/webrick"

$stdout.sync = true

application = lambda do |env|
  request = Rack::Request.new(env)
  puts JSON.generate("form" => (request.post? ? request.POST : request.GET).to_a)
  [200, { "Content-Type" => "text/plain" }, ["ok"]]
rescue Rack::QueryParser::ParameterTypeError, Rack::QueryParser::InvalidParameterError, RangeError => error
  # What Rails and Sinatra answer to these.
  [400, { "Content-Type" => "text/plain" }, [error.message]]
end

quiet = WEBrick::Log.new($stderr, WEBrick::Log::FATAL)
options = { Host: "127.0.0.1", Port: 0, Logger: quiet, AccessLog: [] }
Rack::Handler::WEBrick.run(application, **options) { |server| puts JSON.generate("port" => server.config[:Port]) }
