# frozen_string_literal: true

# Hearth's runtime client for Ruby: asks the Runtime API for invocations and calls the handler.
#
# What is required is the bill: Ruby's own HTTP client takes longer to load than everything else, so the Runtime API is
# spoken on a bare socket. A stem (HEARTH_STEM=1) has time: it loads what functions usually do and waits, on file
# descriptor 3, to be told whose function it is.

require 'json'
require 'socket'

module Hearth
  API = '/2018-06-01/runtime/'
  USER_AGENT = "hearth-ruby/#{RUBY_VERSION}"
  STEM_FD = 3
  OWN_FILE = __FILE__
  TRACE_LINES_MAX = 100

  # The service is gone, or answers what it never should: there is nothing left to do.
  class Failed < RuntimeError; end

  def self.main
    stem = ENV.delete('HEARTH_STEM') == '1'
    api = RuntimeApi.new(ENV.fetch('AWS_LAMBDA_RUNTIME_API'))
    Stem.wait(api) if stem
    Dir.chdir(ENV.fetch('LAMBDA_TASK_ROOT'))
    prepare_paths
    $stdout.sync = $stderr.sync = true
    sink = Sink.of_environment
    Logging.install(sink)
    begin
      handler = Handler.load(ENV.fetch('_HANDLER', ''))
    rescue Exception => error # rubocop:disable Lint/RescueException -- a file of the function may raise anything
      fail_init(api, sink, error)
    end
    loop { break unless serve_one(api, sink, handler) }
    # What AWS's client ends with after a critical error: -1.
    exit!(255)
  end

  def self.prepare_paths
    layers = ENV.fetch('HEARTH_LAYERS_ROOT', '/opt')
    task = ENV.fetch('LAMBDA_TASK_ROOT')
    # AWS has no rubygems call here: GEM_PATH is read when the first gem is asked for.
    Gem.clear_paths if defined?(Gem)
    [File.join(layers, 'ruby', 'lib'), task].each { |path| $LOAD_PATH.unshift(path) unless $LOAD_PATH.include?(path) }
  end

  # Whether another one can be served after it.
  def self.serve_one(api, sink, handler)
    headers, body = api.next_invocation
    id = headers.fetch('lambda-runtime-aws-request-id', '')
    $_global_aws_request_id = id # rubocop:disable Style/GlobalVars -- the name that AWS's formatter and people's code know
    trace = headers['lambda-runtime-trace-id']
    trace ? ENV['_X_AMZN_TRACE_ID'] = trace : ENV.delete('_X_AMZN_TRACE_ID')
    answer, type = handler.call(event(headers, body), LambdaContext.new(headers))
    $stdout.flush
    api.post("invocation/#{id}/response", answer, type: type)
    true
  rescue Failed
    raise
  rescue SystemExit
    raise
  rescue Exception => error # rubocop:disable Lint/RescueException -- each is the invocation's error
    critical = !error.is_a?(StandardError) || error.is_a?(NameError)
    report(api, sink, "invocation/#{id}/error", error, 'Function', critical)
    !critical
  end

  def self.event(headers, body)
    headers.fetch('content-type', 'application/json') == 'application/json' ? JSON.parse(body) : body
  end

  def self.report(api, sink, path, error, origin, critical)
    described = describe(error, origin)
    label = critical ? 'Critical exception from handler' : 'Error raised from handler method'
    label = 'Init error when loading handler' if origin == 'Init'
    sink.log(JSON.generate({ message: label }.merge(described)))
    $stdout.flush
    api.post(path, JSON.generate(described), error_type: described[:errorType])
  end

  # A name that programs can match without running into people's own class names, as AWS writes it.
  def self.describe(error, origin)
    trace = error.backtrace || []
    own = trace.index { |line| line.start_with?(OWN_FILE) }
    trace = trace.first(own) if own
    { errorMessage: scrub(error.message), errorType: "#{origin}<#{error.class}>", stackTrace: trace.first(TRACE_LINES_MAX) }
  end

  def self.scrub(text)
    text.to_s.encode('UTF-8', invalid: :replace, undef: :replace).scrub
  end

  def self.fail_init(api, sink, error)
    report(api, sink, 'init/error', error, 'Init', true)
    # What AWS's client ends with: -4.
    exit!(252)
  end

  # Waits to be told whose runtime this is.
  module Stem
    def self.wait(api)
      require 'logger'
      require 'stringio'
      require 'time'
      api.open
      control = IO.for_fd(STEM_FD, 'r+b')
      control.sync = true
      control.write('R')
      length = control.read(4)
      # The server gave this stem up.
      exit!(0) if length.nil? || length.bytesize < 4
      message = JSON.parse(control.read(length.unpack1('N')).force_encoding('UTF-8'))
      control.close
      message['env'].each { |name, value| ENV[name] = value }
      ENV['_HANDLER'] = message['handler']
    end
  end

  # The handler that a configuration names: file.method, or file.Class.method with modules in the class's name.
  class Handler
    def self.load(name)
      parts = name.split('.')
      unless [2, 3].include?(parts.size)
        raise ArgumentError, "Invalid handler #{parts}, must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD where " \
                             'FILENAME corresponds with an existing Ruby source file FILENAME.rb, CLASS is an optional ' \
                             'module/class namespace and METHOD is a callable method. If using CLASS, METHOD must be a ' \
                             'class-level method.'
      end
      require parts.first
      new(parts.size == 3 ? parts[1] : nil, parts.last)
    end

    def initialize(owner, name)
      @owner = owner
      @name = name
    end

    # The answer's bytes and their type.
    def call(event, context)
      target = @owner ? Kernel.const_get(@owner) : TOPLEVEL_BINDING.receiver
      answer = target.__send__(@name, event: event, context: context)
      return [answer.read, 'application/unknown'] if answer.respond_to?(:read) && (answer.is_a?(IO) || string_io?(answer))

      [answer.to_json, 'application/json']
    end

    private

    def string_io?(value)
      defined?(StringIO) && value.is_a?(StringIO)
    end
  end

  # HTTP/1.1 to the Runtime API, one request at a time on one kept-alive connection.
  class RuntimeApi
    def initialize(address)
      @address = address
      @socket = nil
    end

    def open
      host, _, port = @address.rpartition(':')
      @socket = TCPSocket.new(host, port.to_i)
      @socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1)
    end

    def next_invocation
      reused = !@socket.nil?
      status, headers, body = exchange("GET #{API}invocation/next HTTP/1.1\r\n#{common}\r\n", '')
      raise Failed, "Runtime API: GET invocation/next answered #{status}: #{body}" unless status == 200

      [headers, body.force_encoding('UTF-8')]
    rescue SystemCallError, IOError
      # A server may close a kept-alive connection at any time, and asking for work again is harmless.
      raise unless reused

      close
      retry
    end

    def post(path, body, type: 'application/json', error_type: nil)
      head = "POST #{API}#{path} HTTP/1.1\r\n#{common}Content-Type: #{type}\r\nContent-Length: #{body.bytesize}\r\n"
      head += "Lambda-Runtime-Function-Error-Type: #{error_type.gsub(/[^ -~]/, '?')}\r\n" if error_type
      status, _, answer = exchange("#{head}\r\n", body)
      # Below 500 the service has already told the caller what was wrong, such as a response that is too large.
      raise Failed, "Runtime API: POST #{path} answered #{status}: #{answer}" if status >= 500
    end

    private

    def common
      "Host: #{@address}\r\nUser-Agent: #{USER_AGENT}\r\n"
    end

    def exchange(head, body)
      open if @socket.nil?
      # One write for what is small: the other side is to wake once.
      @socket.write(head.b + body.b)
      status, headers = read_head
      status, headers = read_head while status < 200
      closes = headers['connection']&.downcase == 'close'
      answer = read_body(headers, closes)
      close if closes
      [status, headers, answer]
    end

    def close
      @socket&.close
      @socket = nil
    end

    def read_head
      status = line.split(' ', 3)[1].to_i
      headers = {}
      until (text = line).empty?
        name, _, value = text.partition(':')
        headers[name.strip.downcase] = value.strip.force_encoding('UTF-8')
      end
      [status, headers]
    end

    def read_body(headers, closes)
      return read_chunks if headers['transfer-encoding']&.downcase&.include?('chunked')

      length = headers['content-length']
      return take(length.to_i) if length

      closes ? @socket.read : +''
    end

    def read_chunks
      body = +''.b
      while (size = line.to_i(16)).positive?
        body << take(size)
        line
      end
      nil until line.empty?
      body
    end

    def take(count)
      return +'' if count.zero?

      taken = @socket.read(count)
      raise EOFError, 'connection closed in the middle of a body' if taken.nil? || taken.bytesize < count

      taken
    end

    def line
      text = @socket.gets("\n")
      raise EOFError, 'connection closed' if text.nil?

      text.chomp
    end
  end

  # Where log messages go: standard output, or framed on the descriptor the platform gives, so that a message of many
  # lines stays one.
  class Sink
    TEXT = 0xA55A0003
    JSON_TEXT = 0xA55A0002
    LEVELS = { 'DEBUG' => 8, 'INFO' => 12, 'WARN' => 16, 'ERROR' => 20, 'FATAL' => 24 }.freeze

    attr_reader :level

    def self.of_environment
      descriptor = ENV.delete('_LAMBDA_TELEMETRY_LOG_FD')
      new(descriptor && IO.for_fd(descriptor.to_i, 'wb', autoclose: false), ENV['AWS_LAMBDA_LOG_FORMAT'].to_s.upcase == 'JSON',
          ENV['AWS_LAMBDA_LOG_LEVEL'].to_s.upcase)
    end

    def initialize(frames, json, level)
      @frames = frames
      @frames&.sync = true
      @json = json
      @level = level
    end

    def json?
      @json
    end

    def log(message, severity = nil)
      message = Hearth.scrub(message)
      if @frames.nil?
        $stdout.write(message.end_with?("\n") ? message : "#{message}\n")
        return
      end
      # The descriptor may be standard output's: what was printed before comes before.
      $stdout.flush
      kind = (@json ? JSON_TEXT : TEXT) | LEVELS.fetch(severity, 0)
      now = Process.clock_gettime(Process::CLOCK_REALTIME, :microsecond)
      @frames.write([kind, message.bytesize, now].pack('NNQ>') + message.b)
    end

    # What Logger writes to.
    def write(message)
      log(message)
      message.bytesize
    end

    def close; end
  end

  # Ruby's Logger as functions on Lambda know it: with the request's id, to the platform's log.
  module Logging
    def self.install(sink)
      patch = Module.new do
        define_method(:initialize) do |device = nil, *rest, **options|
          standard = device.nil? || device == $stdout || device == $stderr
          super(standard ? sink : device, *rest, **options)
          next unless standard

          @default_formatter = sink.json? ? Logging.json_formatter : Logging.text_formatter
          self.level = sink.level if sink.json? && !options.key?(:level) && Sink::LEVELS.key?(sink.level)
        end
      end
      if defined?(::Logger)
        ::Logger.prepend(patch)
      else
        when_defined(patch)
      end
    end

    # Loading it takes milliseconds that functions without it need not pay.
    def self.when_defined(patch)
      hook = Module.new do
        define_method(:require) do |name|
          loaded = super(name)
          ::Logger.prepend(patch) if name == 'logger' && defined?(::Logger) && !::Logger.ancestors.include?(patch)
          loaded
        end
      end
      Object.prepend(hook)
    end

    def self.text_formatter
      proc do |severity, time, program, message|
        stamp = time.strftime('%Y-%m-%dT%H:%M:%S.%6N')
        text = "#{severity[0]}, [#{stamp} ##{Process.pid}] #{severity.rjust(5)} #{$_global_aws_request_id} -- #{program}: " # rubocop:disable Style/GlobalVars
        "#{text}#{Logging.text_of(message)}\n"
      end
    end

    def self.json_formatter
      proc do |severity, time, program, message|
        fields = { timestamp: time.utc.strftime('%Y-%m-%dT%H:%M:%S.%6NZ'), level: severity,
                   message: message.is_a?(Exception) ? message.message : Logging.text_of(message),
                   requestId: $_global_aws_request_id, logger: program } # rubocop:disable Style/GlobalVars
        if message.is_a?(Exception)
          fields.update(errorType: message.class.to_s, errorMessage: message.message, stackTrace: message.backtrace)
        end
        "#{JSON.generate(fields.compact)}\n"
      end
    end

    def self.text_of(message)
      case message
      when String then message
      when Exception then "#{message.message} (#{message.class})\n#{message.backtrace&.join("\n")}"
      else message.inspect
      end
    end
  end
end

# What handlers get as `context`.
class LambdaContext
  attr_reader :aws_request_id, :invoked_function_arn, :log_group_name, :log_stream_name, :function_name,
              :memory_limit_in_mb, :function_version, :identity, :client_context, :deadline_ms, :tenant_id

  def initialize(headers)
    @aws_request_id = headers['lambda-runtime-aws-request-id']
    @invoked_function_arn = headers['lambda-runtime-invoked-function-arn']
    @deadline_ms = headers['lambda-runtime-deadline-ms'].to_i
    @tenant_id = headers['lambda-runtime-aws-tenant-id']
    @log_group_name = ENV['AWS_LAMBDA_LOG_GROUP_NAME']
    @log_stream_name = ENV['AWS_LAMBDA_LOG_STREAM_NAME']
    @function_name = ENV['AWS_LAMBDA_FUNCTION_NAME']
    @memory_limit_in_mb = ENV['AWS_LAMBDA_FUNCTION_MEMORY_SIZE']
    @function_version = ENV['AWS_LAMBDA_FUNCTION_VERSION']
    @identity = parsed(headers['lambda-runtime-cognito-identity'])
    @client_context = parsed(headers['lambda-runtime-client-context'])
  end

  def get_remaining_time_in_millis
    [@deadline_ms - Process.clock_gettime(Process::CLOCK_REALTIME, :millisecond), 0].max
  end

  private

  def parsed(header)
    header && JSON.parse(header)
  end
end

Hearth.main
