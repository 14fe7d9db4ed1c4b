import ServicesCore
import Testing
